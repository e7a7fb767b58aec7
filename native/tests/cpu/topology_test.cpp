#include "cpu/topology.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "test.hpp"

using namespace gteway::cpu;
namespace fs = std::filesystem;

namespace {

// A fake system root in a temporary directory, removed at the end.
class FakeRoot {
 public:
  FakeRoot() {
    std::string name = (fs::temp_directory_path() / "gteway-topology-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed for " + name);
    root_ = name;
  }
  ~FakeRoot() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  FakeRoot& file(const std::string& path, const std::string& text) {
    const fs::path target = root_ / path;
    fs::create_directories(target.parent_path());
    std::ofstream(target) << text;
    return *this;
  }
  FakeRoot& v2(const std::string& own, const std::string& mounted = "/") {
    file("proc/self/cgroup", "0::" + own + "\n");
    return file("proc/self/mountinfo",
                "22 1 0:20 / /proc rw - proc proc rw\n"
                "31 22 0:26 " +
                    mounted + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  }
  FakeRoot& v1(const std::string& own, const std::string& mounted = "/") {
    file("proc/self/cgroup", "9:memory:/elsewhere\n4:cpu,cpuacct:" + own + "\n1:name=systemd:/\n");
    return file("proc/self/mountinfo", "30 22 0:25 " + mounted +
                                           " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                                           "31 22 0:26 " +
                                           mounted +
                                           " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                                           "32 22 0:27 " +
                                           mounted + " /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
  }
  FakeRoot& v1_quota(const std::string& directory, const std::string& quota, const std::string& period) {
    return file("sys/fs/cgroup/cpu,cpuacct" + directory + "/cpu.cfs_quota_us", quota + "\n")
        .file("sys/fs/cgroup/cpu,cpuacct" + directory + "/cpu.cfs_period_us", period + "\n");
  }
  double quota() const { return cgroup_cpu_quota(root_.string()).value_or(-1); }
  std::string path() const { return root_.string(); }

 private:
  fs::path root_;
};

constexpr double kNone = -1;

}  // namespace

TEST("topology: a quota of version 2 is the ratio in cpu.max, and max is none") {
  CHECK_EQ(FakeRoot().v2("/").file("sys/fs/cgroup/cpu.max", "150000 100000\n").quota(), 1.5);
  CHECK_EQ(FakeRoot().v2("/").file("sys/fs/cgroup/cpu.max", "max 100000\n").quota(), kNone);
  CHECK_EQ(FakeRoot().v2("/").quota(), kNone);
}

TEST("topology: the smallest quota of all enclosing groups counts") {
  FakeRoot root;
  root.v2("/kubepods/pod1/container")
      .file("sys/fs/cgroup/kubepods/pod1/container/cpu.max", "800000 100000\n")
      .file("sys/fs/cgroup/kubepods/pod1/cpu.max", "300000 100000\n")
      .file("sys/fs/cgroup/kubepods/cpu.max", "max 100000\n")
      .file("sys/fs/cgroup/kubepods/pod2/cpu.max", "100000 100000\n");
  CHECK_EQ(root.quota(), 3.0);
  root.file("sys/fs/cgroup/kubepods/pod1/container/cpu.max", "50000 100000\n");
  CHECK_EQ(root.quota(), 0.5);
}

TEST("topology: in a container the mounted group may be the process's own") {
  CHECK_EQ(
      FakeRoot().v2("/docker/abc", "/docker/abc").file("sys/fs/cgroup/cpu.max", "200000 100000\n").quota(),
      2.0);
  CHECK_EQ(FakeRoot()
               .v2("/docker/abc/inner", "/docker/abc")
               .file("sys/fs/cgroup/inner/cpu.max", "100000 100000\n")
               .file("sys/fs/cgroup/cpu.max", "200000 100000\n")
               .quota(),
           1.0);
  // Joined from outside: the kernel shows a path above the namespace's root.
  for (const char* outside : {"/../other", "/../b", "/..", ""}) {
    FakeRoot root;
    root.v2(outside).file("sys/fs/cgroup/cpu.max", "200000 100000\n").file("sys/fs/b/cpu.max", "1 100000\n");
    CHECK_EQ(root.quota(), 2.0);
  }
}

TEST("topology: a quota of version 1 is quota over period, in the cpu controller's hierarchy") {
  CHECK_EQ(FakeRoot().v1("/a/b").v1_quota("/a/b", "250000", "100000").v1_quota("", "-1", "100000").quota(),
           2.5);
  CHECK_EQ(FakeRoot().v1("/a/b").v1_quota("/a", "50000", "100000").v1_quota("/a/b", "-1", "100000").quota(),
           0.5);
  CHECK_EQ(FakeRoot().v1("/docker/x", "/docker/x").v1_quota("", "100000", "50000").quota(), 2.0);
  CHECK_EQ(FakeRoot().v1("/a").v1_quota("/a", "-1", "100000").quota(), kNone);
}

TEST("topology: only the hierarchy of the cpu controller counts") {
  FakeRoot root;
  root.v1("/a").v1_quota("/a", "400000", "100000");
  for (const std::string other : {"memory", "cpuset"})
    for (const std::string group : {"/a", ""})
      root.file("sys/fs/cgroup/" + other + group + "/cpu.cfs_quota_us", "100000\n")
          .file("sys/fs/cgroup/" + other + group + "/cpu.cfs_period_us", "100000\n");
  CHECK_EQ(root.quota(), 4.0);
}

TEST("topology: a mount point with a blank in its name is found") {
  FakeRoot root;
  root.file("proc/self/cgroup", "0::/\n")
      .file("proc/self/mountinfo", "31 22 0:26 / /my\\040cgroups rw - cgroup2 cgroup2 rw\n")
      .file("my cgroups/cpu.max", "100000 100000\n");
  CHECK_EQ(root.quota(), 1.0);
}

TEST("topology: malformed files mean no quota") {
  CHECK_EQ(FakeRoot().quota(), kNone);
  for (const char* text : {"", "\n", "100000\n", "0 100000\n", "-5 100000\n", "100000 0\n", "x y\n",
                           "99999999999999999999 1\n", " \n"})
    CHECK_EQ(FakeRoot().v2("/").file("sys/fs/cgroup/cpu.max", text).quota(), kNone);
  CHECK_EQ(
      FakeRoot()
          .file("proc/self/cgroup", "nonsense\n0::\n:::\n")
          .file("proc/self/mountinfo", "31\n - cgroup2\n - - -\n31 22 0:26 / /sys/fs/cgroup rw - cgroup2\n")
          .file("sys/fs/cgroup/cpu.max", "max")
          .quota(),
      kNone);
}

TEST("topology: threads are the CPUs, capped by the quota rounded up, and at least one") {
  CHECK_EQ(threads_for(8, std::nullopt), 8u);
  CHECK_EQ(threads_for(8, 1.5), 2u);
  CHECK_EQ(threads_for(8, 2.0), 2u);
  CHECK_EQ(threads_for(8, 0.1), 1u);
  CHECK_EQ(threads_for(8, 64.0), 8u);
  CHECK_EQ(threads_for(8, 1e300), 8u);
  CHECK_EQ(threads_for(0, std::nullopt), 1u);
  CHECK_EQ(threads_for(0, 0.0), 1u);
}

TEST("topology: this machine has a CPU for us, and no more threads than CPUs") {
  CHECK(usable_cpus() >= 1);
  CHECK(default_thread_count() >= 1);
  CHECK(default_thread_count() <= usable_cpus());
}

TEST("topology: cache sizes are read in bytes, instruction caches left out") {
#if !defined(__linux__)
  SKIP("reads Linux's /sys");
#endif
  FakeRoot root;
  const std::string cache = "sys/devices/system/cpu/cpu0/cache/index";
  const auto add = [&](int index, const char* level, const char* type, const char* size) {
    const std::string directory = cache + std::to_string(index) + "/";
    root.file(directory + "level", level).file(directory + "type", type).file(directory + "size", size);
  };
  add(0, "1\n", "Data\n", "48K\n");
  add(1, "1\n", "Instruction\n", "32K\n");
  add(2, "2\n", "Unified\n", "2M\n");
  add(3, "3\n", "Unified\n", "32768K\n");
  const CacheSizes sizes = cache_sizes(root.path());
  CHECK_EQ(sizes.l1d, 48u * 1024);
  CHECK_EQ(sizes.l2, 2u * 1024 * 1024);
  CHECK_EQ(sizes.l3, 32u * 1024 * 1024);
  CHECK_EQ(cache_sizes(root.path() + "/nowhere").l2, 0u);
}

TEST("topology: logical CPUs of one core count once, and each by itself where the system does not say") {
  const size_t cpus = usable_cpus();
  CHECK_EQ(usable_cores(FakeRoot().path()), cpus);
  FakeRoot all_of_one, none_shared;
  for (int cpu = 0; cpu < 1024; ++cpu) {
    const std::string file =
        "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list";
    all_of_one.file(file, "0-1023\n");
    none_shared.file(file, std::to_string(cpu) + "\n");
  }
#if defined(__linux__)
  CHECK_EQ(usable_cores(all_of_one.path()), size_t{1});
#endif
  CHECK_EQ(usable_cores(none_shared.path()), cpus);
  CHECK(default_core_count() >= 1);
  CHECK(default_core_count() <= default_thread_count());
}
