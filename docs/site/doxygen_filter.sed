# Headers as Doxygen wants them: what stands above `#pragma once` describes the file, as it was typed; angle brackets in comments are words.
1i /// @file\n/// @verbatim
1,/^#pragma once/{
  s,^// ?(.*),/// \1,
  s,^#pragma once,/// @endverbatim\n#pragma once,
}
/^ *\/\/\/|\/\/\/</s,<([a-z_ ]+)>,\&lt;\1\&gt;,g
