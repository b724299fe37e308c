//! An engine's pass allocates nothing. The counts are the process's, so this is the only test here.

use std::alloc::System;
use std::num::NonZero;

use burn::tensor::Device;
use ndarray::Array4;
use reelnet_infer::Pixels;
use reelnet_infer::engine::{Engine, EngineSpec, Precision};
use reelnet_kernels::cpu;
use reelnet_models::NetworkName;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_pass_allocates_nothing() {
    if cpu::onednn().is_none() {
        return;
    }
    for (name, clip) in
        [("resnet-rs-26", [1, 64, 64]), ("efficientnet-b0", [1, 64, 64]), ("resnet3d-rs-26-inflated", [8, 64, 64])]
    {
        let name: NetworkName = name.parse().expect("a name");
        let network = name.config().clone().with_classes(7).build(0, &Device::flex()).expect("a good config");
        let [frames, height, width] = clip;
        let bytes = Array4::<u8>::from_elem((frames, height, width, 3), 99);
        let pixels = Pixels::of(&name);
        for (threads, precision) in [(1, Precision::F32), (2, Precision::F32), (2, Precision::Bf16)] {
            let threads = NonZero::new(threads).expect("not zero");
            let spec = EngineSpec { threads, precision, ..EngineSpec::new(clip) };
            // Processors without wide vectors have no kernels of halves.
            let Ok(mut engine) = Engine::compile(&network, &spec) else {
                assert_eq!(spec.precision, Precision::Bf16);
                continue;
            };
            // Threads are started by the first pass.
            let first = engine.run(&[bytes.view()], &pixels).to_vec();
            let region = Region::new(ALLOCATOR);
            for _ in 0..3 {
                engine.run(&[bytes.view()], &pixels);
            }
            let found = region.change();
            assert_eq!((found.allocations, found.reallocations), (0, 0), "{name}, {spec:?}: {found:?}");
            // The count counts.
            let again = engine.run(&[bytes.view()], &pixels).to_vec();
            assert!(region.change().allocations > 0);
            assert_eq!(first, again);
        }
    }
}
