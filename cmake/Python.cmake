# ST_PYTHON: which Python, and the LibTorch that its torch is made of.  Before find_package(Torch).
# Of several interpreters the first that has torch: what Python_EXECUTABLE says, else python3 of the path, else the system's.
set(st_python_candidates ${Python_EXECUTABLE})
if(NOT Python_EXECUTABLE)
  find_program(st_python_in_path python3 NO_CACHE)
  set(st_python_candidates ${st_python_in_path} /usr/bin/python3)
endif()
set(st_python_found)
foreach(candidate ${st_python_candidates})
  execute_process(COMMAND ${candidate} -c
    "import sysconfig, torch; print(torch.__version__.split('+')[0], torch.utils.cmake_prefix_path, '/'.join(sysconfig.get_path('platlib').split('/')[-3:]), sep=';')"
    OUTPUT_VARIABLE st_python_found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE st_failed)
  if(NOT st_failed)
    set(Python_EXECUTABLE ${candidate} CACHE FILEPATH "Python interpreter with torch")
    break()
  endif()
  set(st_python_found)
endforeach()
if(NOT st_python_found)
  message(FATAL_ERROR "ST_PYTHON: none of these interpreters can import torch: ${st_python_candidates}.  Install torch there "
    "(Debian: python3-torch) or name another with -DPython_EXECUTABLE=...; with pip, install torch first and then use "
    "`pip install --no-build-isolation .`")
endif()
list(GET st_python_found 0 ST_PYTHON_TORCH)
list(GET st_python_found 1 st_python_torch_prefix)
list(GET st_python_found 2 st_python_site)
find_package(Python 3.9 REQUIRED COMPONENTS Interpreter Development.Module)
if(IS_DIRECTORY ${st_python_torch_prefix})  # Debian's names a folder that is not there; its own files are the system's
  list(PREPEND CMAKE_PREFIX_PATH ${st_python_torch_prefix})
endif()
set(ST_PYTHON_DIR ${st_python_site} CACHE STRING "Where `cmake --install` puts the package, below the prefix")
