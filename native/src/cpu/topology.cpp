#include "cpu/topology.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>
#endif

namespace gteway::cpu {
namespace {

// Paths are strings here: libstdc++'s std::filesystem::path dies where operator/ finds no memory (seen with
// GCC 12), and an engine that is loaded asks for the cores.

std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

// The decimal number `text` begins with.
std::optional<double> number(std::string_view text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return static_cast<double>(value);
}

std::optional<double> ratio(std::optional<double> quota, std::optional<double> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return *quota / *period;
}

// Version 2, cpu.max: "150000 100000", or "max 100000" for none.
std::optional<double> quota_v2(const std::string& directory) {
  const auto line = first_line(directory + "/cpu.max");
  if (!line) return std::nullopt;
  const size_t space = line->find(' ');
  if (space == std::string::npos) return std::nullopt;
  return ratio(number(*line), number(std::string_view(*line).substr(space + 1)));
}

// Version 1: two files; a quota of -1 is none.
std::optional<double> quota_v1(const std::string& directory) {
  const auto quota = first_line(directory + "/cpu.cfs_quota_us");
  const auto period = first_line(directory + "/cpu.cfs_period_us");
  if (!quota || !period) return std::nullopt;
  return ratio(number(*quota), number(*period));
}

// mountinfo writes blanks and backslashes of paths as \040 and so on (proc(5)).
std::string unescape(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr == text.data() + i + 4) {
      result += static_cast<char>(code);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

bool lists(std::string_view comma_separated, std::string_view wanted) {
  for (size_t begin = 0; begin <= comma_separated.size();) {
    const size_t end = std::min(comma_separated.find(',', begin), comma_separated.size());
    if (comma_separated.substr(begin, end - begin) == wanted) return true;
    begin = end + 1;
  }
  return false;
}

struct Mount {
  std::string root;   // the cgroup that is mounted: "/" or, inside a container, the container's own
  std::string point;  // where
  bool v2;
};

// One line of mountinfo: id parent major:minor root point options [field…] - type source super-options.
std::optional<Mount> cgroup_mount(const std::string& line) {
  const size_t separator = line.find(" - ");
  if (separator == std::string::npos) return std::nullopt;
  std::istringstream before(line.substr(0, separator)), after(line.substr(separator + 3));
  std::string id, parent, device, root, point, type, source, options;
  before >> id >> parent >> device >> root >> point;
  after >> type >> source >> options;
  const bool v2 = type == "cgroup2";
  if (!v2 && !(type == "cgroup" && lists(options, "cpu"))) return std::nullopt;
  return Mount{unescape(root), unescape(point), v2};
}

// This process's cgroup in the hierarchy: /proc/self/cgroup has a line id:controllers:path for each; version
// 2's is 0::path.
std::optional<std::string> own_cgroup(const std::string& root, bool v2) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (v2 ? line.starts_with("0::") : lists(controllers, "cpu")) return line.substr(second + 1);
  }
  return std::nullopt;
}

bool climbs(std::string_view path) {
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (path.substr(begin, end - begin) == "..") return true;
    begin = end + 1;
  }
  return false;
}

// `cgroup` below the mounted one, without the slash; empty where it lies elsewhere (a path with .. : the
// process was moved to a cgroup outside its namespace), which leaves the mounted one itself.
std::string below(std::string_view cgroup, std::string_view mounted) {
  while (mounted.ends_with('/')) mounted.remove_suffix(1);
  if (!cgroup.starts_with(mounted)) return {};
  cgroup.remove_prefix(mounted.size());
  if (!cgroup.starts_with('/') || climbs(cgroup)) return {};
  while (cgroup.starts_with('/')) cgroup.remove_prefix(1);
  while (cgroup.ends_with('/')) cgroup.remove_suffix(1);
  return std::string(cgroup);
}

// "a/b" becomes "a", and "a" becomes "".
std::string above(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

#if defined(__linux__)
size_t size_of_cache(const std::string& directory) {
  const auto line = first_line(directory + "/size");
  if (!line) return 0;
  const auto value = number(*line);
  if (!value || *value <= 0) return 0;
  const size_t unit = line->ends_with('K') ? 1024 : line->ends_with('M') ? 1024 * 1024 : 1;
  return static_cast<size_t>(*value) * unit;
}
#elif defined(__APPLE__)
size_t sysctl_size(const char* name) {
  int64_t value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value > 0 ? static_cast<size_t>(value) : 0;
}
#endif

}  // namespace

std::optional<double> cgroup_cpu_quota(const std::string& root) {
  std::optional<double> smallest;
  std::ifstream mounts(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const auto mount = cgroup_mount(line);
    if (!mount) continue;
    const auto cgroup = own_cgroup(root, mount->v2);
    if (!cgroup) continue;
    const std::string point = root + mount->point + '/';
    for (std::string path = below(*cgroup, mount->root);; path = above(path)) {
      const auto quota = mount->v2 ? quota_v2(point + path) : quota_v1(point + path);
      if (quota && (!smallest || *quota < *smallest)) smallest = quota;
      if (path.empty()) break;
    }
  }
  return smallest;
}

size_t threads_for(size_t cpus, std::optional<double> quota) noexcept {
  const size_t at_least_one = std::max<size_t>(cpus, 1);
  // The comparison comes first: a quota beyond size_t's range must not be converted. NaN leaves the CPUs.
  if (!quota || !(*quota < static_cast<double>(at_least_one))) return at_least_one;
  return std::max<size_t>(static_cast<size_t>(std::ceil(*quota)), 1);
}

#if defined(__linux__)
namespace {

// Numbers of the logical CPUs in the calling thread's affinity mask; empty where it cannot be had.
std::vector<size_t> allowed_cpus() {
  std::vector<size_t> allowed;
  // The kernel refuses a mask smaller than its own: grow it until it fits.
  for (size_t cpus = 1024; cpus <= 1024 * 1024; cpus *= 2) {
    std::vector<unsigned long> mask(cpus / (8 * sizeof(unsigned long)));
    const size_t bytes = mask.size() * sizeof(unsigned long);
    auto* set = reinterpret_cast<cpu_set_t*>(mask.data());
    if (sched_getaffinity(0, bytes, set) != 0) continue;
    for (size_t cpu = 0; cpu < cpus; ++cpu)
      if (CPU_ISSET_S(cpu, bytes, set)) allowed.push_back(cpu);
    break;
  }
  return allowed;
}

}  // namespace
#endif

size_t usable_cpus() {
#if defined(__linux__)
  if (const size_t cpus = allowed_cpus().size(); cpus > 0) return cpus;
#elif defined(_WIN32)
  DWORD_PTR process = 0, system = 0;
  if (GetProcessAffinityMask(GetCurrentProcess(), &process, &system) && process != 0) {
    size_t count = 0;
    for (; process != 0; process &= process - 1) ++count;
    return count;
  }
#endif
  return std::max<size_t>(std::thread::hardware_concurrency(), 1);
}

size_t usable_cores([[maybe_unused]] const std::string& root) {
#if defined(__linux__)
  std::set<size_t> firsts;
  for (const size_t cpu : allowed_cpus()) {
    // "0,64" or "0-1": those of one core, the lowest first.
    const auto siblings = first_line(root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                     "/topology/thread_siblings_list");
    const auto first = siblings ? number(*siblings) : std::nullopt;
    firsts.insert(first && *first >= 0 ? static_cast<size_t>(*first) : cpu);
  }
  if (!firsts.empty()) return firsts.size();
#elif defined(__APPLE__)
  int32_t cores = 0;
  size_t size = sizeof cores;
  if (sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) == 0 && cores > 0)
    return static_cast<size_t>(cores);
#endif
  return usable_cpus();
}

size_t default_thread_count() { return threads_for(usable_cpus(), cgroup_cpu_quota()); }

size_t default_core_count() { return threads_for(usable_cores(), cgroup_cpu_quota()); }

CacheSizes cache_sizes([[maybe_unused]] const std::string& root) {
  CacheSizes sizes;
#if defined(__linux__)
  for (int index = 0; index < 16; ++index) {
    const std::string directory = root + "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    const auto level = first_line(directory + "/level"), type = first_line(directory + "/type");
    if (!level || !type) break;
    if (*type == "Instruction") continue;
    if (*level == "1") sizes.l1d = size_of_cache(directory);
    if (*level == "2") sizes.l2 = size_of_cache(directory);
    if (*level == "3") sizes.l3 = size_of_cache(directory);
  }
#elif defined(__APPLE__)
  sizes = {sysctl_size("hw.l1dcachesize"), sysctl_size("hw.l2cachesize"), sysctl_size("hw.l3cachesize")};
#endif
  return sizes;
}

}  // namespace gteway::cpu
