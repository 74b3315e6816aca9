// What an exception says.
#pragma once
#include <gtest/gtest.h>

#include <string>

namespace spiketrain {

/// Message of the error of type E that f throws; a test failure if it throws none.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "expected an exception";
  return "";
}

}  // namespace spiketrain
