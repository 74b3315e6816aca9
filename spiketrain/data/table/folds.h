// How the rows of a table are dealt into folds, and in which order they are then used.
// Tests: unit/table_data_test.cpp.
#pragma once
#include <cstdint>
#include <vector>

namespace spiketrain {

/// Rows of each fold.  With labels the rows of each class, shuffled by `seed`, are dealt one by one, each class going on where the one
/// before ended: two folds differ by at most one row of each class and by at most one row in all.  Without, all rows
/// are.  UsageError: more folds than rows.
std::vector<std::vector<int64_t>> deal_folds(int64_t rows, const std::vector<int64_t>& labels, int64_t folds,
                                             uint64_t seed);

/// The same rows in an order in which the first n hold all classes in proportion, so that a limit keeps them.
std::vector<int64_t> mixed(std::vector<int64_t> rows, const std::vector<int64_t>& labels);

}  // namespace spiketrain
