// What launchers' variables say.
#include "spiketrain/parallel/placement.h"

#include <gtest/gtest.h>

#include <map>

#include "spiketrain/base/check.h"
#include "tests/support/message.h"

namespace spiketrain::placement_test {

using Variables = std::map<std::string, std::string>;

std::optional<Placement> read(const Variables& set) {
  return placement([&](const char* name) {
    const auto it = set.find(name);
    return it == set.end() ? nullptr : it->second.c_str();
  });
}
std::string refusal(const Variables& set) {
  return message_of<UsageError>([&] { read(set); });
}
const Variables kMaster = {{"MASTER_ADDR", "node1"}, {"MASTER_PORT", "29500"}};
Variables with(Variables more) {
  more.insert(kMaster.begin(), kMaster.end());
  return more;
}

TEST(Placement, AProcessByItselfHasNone) {
  EXPECT_FALSE(read({}));
  EXPECT_FALSE(read({{"WORLD_SIZE", "1"}, {"RANK", "0"}}));
  // In a batch script before srun.
  EXPECT_FALSE(read({{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}}));
}

TEST(Placement, ReadsTorchrun) {
  const auto p = read(with({{"RANK", "3"},
                            {"WORLD_SIZE", "4"},
                            {"LOCAL_RANK", "1"},
                            {"LOCAL_WORLD_SIZE", "2"},
                            {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                            {"TORCHELASTIC_RESTART_COUNT", "2"}}));
  ASSERT_TRUE(p);
  EXPECT_EQ(p->rank, 3);
  EXPECT_EQ(p->size, 4);
  EXPECT_EQ(p->local_rank, 1);
  EXPECT_EQ(p->local_size, 2);
  EXPECT_EQ(p->address, "node1");
  EXPECT_EQ(p->port, 29500);
  EXPECT_TRUE(p->launchers_store);
  EXPECT_EQ(p->restarts, 2);
}

TEST(Placement, ReadsSlurmAndOpenMpi) {
  const auto slurm = read(with({{"SLURM_STEP_NUM_TASKS", "8"},
                                {"SLURM_PROCID", "5"},
                                {"SLURM_LOCALID", "1"},
                                {"SLURM_STEP_TASKS_PER_NODE", "2(x4)"}}));
  ASSERT_TRUE(slurm);
  EXPECT_EQ(slurm->rank, 5);
  EXPECT_EQ(slurm->local_size, 2);
  EXPECT_FALSE(slurm->launchers_store);
  const auto mpi = read(with({{"OMPI_COMM_WORLD_SIZE", "2"},
                              {"OMPI_COMM_WORLD_RANK", "1"},
                              {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                              {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}}));
  ASSERT_TRUE(mpi);
  EXPECT_EQ(mpi->rank, 1);
}

TEST(Placement, TheInnerLauncherCounts) {
  // mpirun within a step of one task, as in the shell of an allocation.
  const auto p = read(with({{"SLURM_STEP_NUM_TASKS", "1"},
                            {"SLURM_PROCID", "0"},
                            {"OMPI_COMM_WORLD_SIZE", "2"},
                            {"OMPI_COMM_WORLD_RANK", "1"}}));
  ASSERT_TRUE(p);
  EXPECT_EQ(p->size, 2);
  EXPECT_EQ(p->rank, 1);
}

TEST(Placement, WithoutPlacesPerMachineAllAreOnThisOne) {
  const auto p = read(with({{"RANK", "1"}, {"WORLD_SIZE", "2"}}));
  ASSERT_TRUE(p);
  EXPECT_EQ(p->local_size, 2);
  EXPECT_EQ(p->local_rank, 1);
}

TEST(Placement, SaysWhatIsMissingOrWrong) {
  EXPECT_NE(refusal({{"WORLD_SIZE", "2"}, {"RANK", "0"}}).find("MASTER_ADDR is not set"), std::string::npos);
  EXPECT_NE(refusal({{"WORLD_SIZE", "2"}}).find("RANK is not set"), std::string::npos);
  EXPECT_NE(refusal(with({{"WORLD_SIZE", "2"}, {"RANK", "2"}}))
                .find("RANK: expected a number from 0 to 1, got '2'"),
            std::string::npos);
  for (const char* size : {"", "two", "2x", "0", "-1", "99999999999999999999"})
    EXPECT_NE(refusal(with({{"WORLD_SIZE", size}, {"RANK", "0"}})).find("WORLD_SIZE: expected"),
              std::string::npos)
        << size;
  EXPECT_NE(refusal({{"WORLD_SIZE", "2"}, {"RANK", "0"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "70000"}})
                .find("MASTER_PORT: expected a number from 1 to 65535"),
            std::string::npos);
}

}  // namespace spiketrain::placement_test
