// Settings of the process: threads and memory allocator.
#pragma once

namespace spiketrain {

/// Cores this process may use.
int allowed_cores();
/// Threads for LibTorch, BLAS and the kernels; 0: all allowed cores.  Returns the number set.  UsageError if
/// negative, or if the limit on address space (ulimit -v) leaves no room for them.
int set_threads(int n);
/// Keeps freed blocks in the process: a training step frees and takes the same large blocks again and again,
/// and handing them back to the system costs a page fault per 4 KiB.
void keep_memory();
/// All that a program should do first in main to train as fast as the command line does: keep_memory(), passive waiting
/// of OpenMP's threads, set_threads(threads), whose result it returns.  libgomp takes how its threads wait from the
/// environment when it is loaded, before main; so unless OMP_WAIT_POLICY is set (by whoever started the program, or by a
/// launcher as in apps/spiketrain/main.cpp), it is set now and the program starts again with `argv`, which costs the
/// time of loading LibTorch once more.  nullptr: it does not start again, and threads spin.
int prepare_process(char** argv, int threads = 0);
/// Largest resident size of this process so far, MiB.
double peak_memory_mib();
}  // namespace spiketrain
