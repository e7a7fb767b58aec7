// How many threads computing is worth, and how much cache they have. Read from the system at each call, since
// affinity and quotas can change while a process runs; some 100 µs.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace gteway::cpu {

// Threads to compute with: the logical CPUs this process may run on, and no more than the cgroup's CPU quota.
// At least 1.
size_t default_thread_count();

// Logical CPUs in the calling thread's affinity mask (which cpuset cgroups narrow too); where the system has
// no such thing (macOS), all of them. At least 1.
size_t usable_cpus();

// Threads that one short piece of work should be shared among: the cores whose logical CPUs this process may
// run on, and no more than the quota. Two threads of one core share its multipliers, so a second one brings a
// batch that is waited for next to nothing, and both are waited for. At least 1.
size_t default_core_count();

// Cores of which at least one logical CPU is in the calling thread's affinity mask; usable_cpus() where the
// system does not say which share one. `root`, here and below, stands before absolute paths: tests have a
// tree of their own.
size_t usable_cores(const std::string& root = "");

// The CPU time this process may use per unit of time, in CPUs: the smallest quota among its cgroup and all
// that enclose it, as far as they are visible. Version 1 (cpu.cfs_quota_us / cpu.cfs_period_us) and 2
// (cpu.max), mounted anywhere. None: no quota, or not Linux.
std::optional<double> cgroup_cpu_quota(const std::string& root = "");

// min(cpus, quota rounded up), at least 1. Up: with a quota of 1.5, two threads use all of it (they run 75 ms
// of each period of 100 and then wait), one thread never uses more than two thirds. Rounding down would give
// up that third of the throughput to avoid pauses of a fraction of a period, which this library's users
// rarely notice.
size_t threads_for(size_t cpus, std::optional<double> quota) noexcept;

// Data caches of CPU 0, in bytes; 0 where unknown. L3 is shared by several cores.
struct CacheSizes {
  size_t l1d = 0, l2 = 0, l3 = 0;
};
CacheSizes cache_sizes(const std::string& root = "");

}  // namespace gteway::cpu
