// oneDNN's engine, streams, threads and errors, for everything in the shim.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include <oneapi/dnnl/dnnl.hpp>

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_THREADPOOL
#error "this oneDNN was built for a thread pool of the caller; build with one for OpenMP, or with --no-default-features"
#endif

namespace reelnet {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

extern thread_local std::string last_error;

dnnl::engine &engine();
// One a thread.
dnnl::stream &stream();

using SetThreads = void (*)(int);
// The OpenMP that oneDNN itself is linked with, whichever that is: asking the loader needs none at build time.
SetThreads set_threads_of_openmp();
void set_threads(int64_t threads);

// Runs `body`; an exception may not cross into Rust.
template <typename Body>
int guarded(Body body) {
    try {
        body();
        return 0;
    } catch (const dnnl::error &error) {
        last_error = error.message ? error.message : "unknown error";
        last_error += " (status " + std::to_string(static_cast<int>(error.status)) + ")";
    } catch (const std::exception &error) {
        last_error = error.what();
    } catch (...) {
        last_error = "unknown error";
    }
    return 1;
}

inline uint64_t aligned(uint64_t bytes) { return (bytes + 63) & ~uint64_t(63); }

// A copy between the caller's layout and the kernel's, if they differ.
struct Reorder {
    bool needed = false;
    dnnl::primitive primitive;
    memory::desc from, to;
    uint64_t scratch_offset = 0;

    void plan(const memory::desc &source, const memory::desc &target);
    void run(void *source, void *target) const;
};

}  // namespace reelnet
