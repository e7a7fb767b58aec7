/* Answers for the processor in place of cpuid instructions that were replaced by ud2: all as it is, but without AVX-512 and
   what came after AVX2. Preloaded by run.mjs. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <ucontext.h>

/* Leaf 7: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID. */
static const unsigned leaf7_ebx = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;
static const unsigned leaf7_ecx = 1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14;
static const unsigned leaf7_edx = 1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25;
#ifdef KEEP_AVX_VNNI
static const unsigned leaf7_1_eax = 1u << 5; /* AVX-512 BF16 */
#else
static const unsigned leaf7_1_eax = 1u << 4 | 1u << 5; /* AVX-VNNI, AVX-512 BF16 */
#endif

static void answer(int signal_number, siginfo_t* info, void* context) {
  (void)info;
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  const unsigned char* code = (const unsigned char*)registers[REG_RIP];
  if (code[0] != 0x0f || code[1] != 0x0b) {
    signal(signal_number, SIG_DFL);
    return;
  }
  const unsigned leaf = (unsigned)registers[REG_RAX], part = (unsigned)registers[REG_RCX];
  unsigned a, b, c, d;
  __cpuid_count(leaf, part, a, b, c, d);
  if (leaf == 7 && part == 0) b &= ~leaf7_ebx, c &= ~leaf7_ecx, d &= ~leaf7_edx;
  if (leaf == 7 && part == 1) a &= ~leaf7_1_eax;
  registers[REG_RAX] = a;
  registers[REG_RBX] = b;
  registers[REG_RCX] = c;
  registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void install(void) {
  struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGILL, &action, 0);
}
