// Section [table] of a recipe: which file, what its columns mean, which part of it is tested on and how values are scaled.
// Tests: unit/table_data_test.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "spiketrain/base/options.h"

namespace spiketrain {

struct TableOptions {
  std::string file, separator = "comma";
  bool header = false;
  std::string target;
  int64_t target_column = -1;
  std::vector<int64_t> skip_columns;
  std::string task = "classes", missing = "refuse", scale = "minmax";
  int64_t folds = 5, fold = 0, fold_seed = 1;

  template <class V>
  void visit(V& v) {
    v(file, "file",
      "table of values as text (CSV), or the same packed by gzip, below --data-dir unless it begins with /");
    v(separator, "separator", "what is between two values of a row", Choices{{"comma", "semicolon", "tab"}});
    v(header, "header", "the first row names the columns");
    v(target, "target", "name of the target's column in the header; empty: target_column");
    v(target_column, "target_column", "number of the target's column, from 1; from the end: -1 is the last",
      Range{-1e9, 1e9});
    v(skip_columns, "skip_columns", "numbers of columns that are not read, as in target_column");
    v(task, "task", "targets are classes, texts or numbers; or values, for regression",
      Choices{{"classes", "values"}});
    v(missing, "missing",
      "empty cells and ?, NA, NaN: refuse: an error; leave_out: the row is left out; mean: the column's mean in the training part stands for it",
      Choices{{"refuse", "leave_out", "mean"}});
    v(scale, "scale",
      "of each column, by numbers of the training part alone: minmax: to 0 ... 1; zscore: to mean 0 and standard deviation 1; none",
      Choices{{"minmax", "zscore", "none"}});
    v(folds, "folds",
      "the rows are dealt into so many parts, each with the same share of every class; one is the test part",
      Range{2, 1e6});
    v(fold, "fold", "which of the parts is the test part, from 0", Range{0, 1e6});
    v(fold_seed, "fold_seed",
      "how the rows are dealt; not the recipe's seed, so that seeds share their folds", Range{0, 1e15});
  }
};

}  // namespace spiketrain
