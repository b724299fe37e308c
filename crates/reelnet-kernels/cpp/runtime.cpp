#include "runtime.h"

#include <dlfcn.h>

#include "onednn.h"

namespace reelnet {

thread_local std::string last_error;

dnnl::engine &engine() {
    static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

dnnl::stream &stream() {
    thread_local dnnl::stream own(engine());
    return own;
}

SetThreads set_threads_of_openmp() {
    static const auto function = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    return function;
}

void set_threads(int64_t threads) {
    // OpenMP keeps the number a calling thread.
    thread_local int64_t current = 0;
    if (threads == current) return;
    if (auto set = set_threads_of_openmp()) set(static_cast<int>(threads));
    current = threads;
}

void Reorder::plan(const memory::desc &source, const memory::desc &target) {
    needed = source != target;
    if (!needed) return;
    from = source;
    to = target;
    primitive = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
}

void Reorder::run(void *source, void *target) const {
    primitive.execute(stream(), {{DNNL_ARG_FROM, memory(from, engine(), source)}, {DNNL_ARG_TO, memory(to, engine(), target)}});
}

}  // namespace reelnet

extern "C" int reelnet_onednn_team(int64_t threads, void (*work)(void *), void *context) {
    // What compilers turn `#pragma omp parallel` into: libgomp's since version 4.0, LLVM's runtime has it too.
    using Parallel = void (*)(void (*)(void *), void *, unsigned, unsigned);
    static const auto parallel = reinterpret_cast<Parallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    if (DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_OMP || !parallel) return 1;
    parallel(work, context, static_cast<unsigned>(threads), 0);
    return 0;
}

extern "C" void reelnet_onednn_library(ReelnetLibrary *library) {
    const auto *version = dnnl::version();
    library->major = version->major;
    library->minor = version->minor;
    library->patch = version->patch;
    library->instructions = static_cast<int64_t>(dnnl::get_effective_cpu_isa());
    library->openmp = DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP && reelnet::set_threads_of_openmp() != nullptr;
}

extern "C" const char *reelnet_onednn_error(void) { return reelnet::last_error.c_str(); }
