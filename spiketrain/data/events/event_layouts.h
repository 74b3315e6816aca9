// Where the recordings of each data set lie, and which class and split they belong to.
//   nmnist       DIR/nmnist/{Train,Test}/{0..9}/NUMBER.bin, in the order of the numbers; or the short form
//                DIR/nmnist/{train,test}/NUMBER.{bs2,bin} with lists train*.txt and test*.txt (number, class)
//   dvs-gesture  DIR/dvs-gesture[/DvsGesture]/{trials_to_train,trials_to_test}.txt, which name NAME.aedat
//   with
//                its NAME_labels.csv (class 1 to 11, start, end): a clip per line; or DIR/dvs-gesture/
//                {train,test}/CLASS/* with one clip per file
//   cifar10-dvs  DIR/cifar10-dvs/CLASS/*.aedat; there is no official split: the first `train_share` of every
//                class, in the order of the numbers in the file names, is train, the rest is test
//   event-folder see folder_clips()
// Numbers in names are compared as numbers.  Class folders take turns (first of every class, second, ...),
// so that the first n samples hold all classes.  Hidden files are passed over.
// Errors: DataError that names the missing folder, the empty class, the bad line.
// Tests: unit/event_sets_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/data/events/clip_source.h"
#include "spiketrain/data/events/event_options.h"

namespace spiketrain {

/// Order of names in which runs of digits are compared as numbers: a2 < a10.
bool natural_less(const std::string& a, const std::string& b);

ClipSet nmnist_clips(const std::string& dir, bool train);
ClipSet dvs_gesture_clips(const std::string& dir, bool train);
ClipSet cifar10_dvs_clips(const std::string& dir, bool train, double train_share);

/// One's own recordings: FOLDER/TRAIN_DIR and FOLDER/TEST_DIR, each with a folder per class, or a file per
/// class whose name without ending is the class, or both.  Classes that are not in both parts are left out,
/// which the description says.  With clip_us, a recording is cut into clips [first + k stride, + clip_us), k
/// = 0, 1, ... as long as they end before the last event; a shorter recording is one clip. The size of the
/// sensor: `sensor`, or that of the first training recording.
ClipSet folder_clips(const EventOptions& options, const std::string& dir, bool train);

}  // namespace spiketrain
