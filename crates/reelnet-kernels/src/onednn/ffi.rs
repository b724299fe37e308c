//! `cpp/onednn.h` in Rust.

use std::ffi::{c_char, c_int, c_void};

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Conv {
    pub(super) direction: i64,
    pub(super) axes: i64,
    pub(super) batch: i64,
    pub(super) channels_in: i64,
    pub(super) channels_out: i64,
    pub(super) groups: i64,
    pub(super) size: [i64; 3],
    pub(super) output: [i64; 3],
    pub(super) kernel: [i64; 3],
    pub(super) stride: [i64; 3],
    pub(super) dilation: [i64; 3],
    pub(super) before: [i64; 3],
    pub(super) after: [i64; 3],
    pub(super) has_bias: i64,
    pub(super) half: i64,
    pub(super) threads: i64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Fused {
    pub(super) conv: Conv,
    pub(super) source: i64,
    pub(super) destination: i64,
    pub(super) residual: i64,
    pub(super) activation: i64,
    pub(super) is_gated: i64,
    pub(super) accumulates: i64,
    pub(super) winograd: i64,
    pub(super) residual_scale: f32,
    pub(super) destination_scale: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    pub(super) batch: i64,
    pub(super) channels: i64,
    pub(super) size: [i64; 3],
    pub(super) output: [i64; 3],
    pub(super) kernel: [i64; 3],
    pub(super) stride: [i64; 3],
    pub(super) before: [i64; 3],
    pub(super) after: [i64; 3],
    pub(super) is_average: i64,
    pub(super) number: i64,
    pub(super) threads: i64,
}

#[repr(C)]
pub(super) struct PlanInfo {
    pub(super) scratch: u64,
    pub(super) packed: u64,
    pub(super) reorders: u64,
    pub(super) is_reference: i64,
    pub(super) implementation: [c_char; 64],
}

#[repr(C)]
#[derive(Default)]
pub(super) struct Library {
    pub(super) major: i64,
    pub(super) minor: i64,
    pub(super) patch: i64,
    pub(super) instructions: i64,
    pub(super) openmp: i64,
}

/// A C++ object that only the shim looks into.
#[repr(C)]
pub(super) struct Plan {
    private: [u8; 0],
}

/// Another C++ object that only the shim looks into.
#[repr(C)]
pub(super) struct FusedPlan {
    private: [u8; 0],
}

unsafe extern "C" {
    pub(super) fn reelnet_fused_plan(
        fused: *const Fused,
        scales: *const f32,
        plan: *mut *mut FusedPlan,
        info: *mut PlanInfo,
    ) -> c_int;
    pub(super) fn reelnet_pool_plan(pool: *const Pool, plan: *mut *mut FusedPlan, info: *mut PlanInfo) -> c_int;
    pub(super) fn reelnet_fused_pack(plan: *const FusedPlan, weights: *const c_void, packed: *mut c_void) -> c_int;
    pub(super) fn reelnet_fused_same_weights(a: *const FusedPlan, b: *const FusedPlan) -> c_int;
    pub(super) fn reelnet_fused_repack(
        from: *const FusedPlan,
        packed: *const c_void,
        to: *const FusedPlan,
        repacked: *mut c_void,
    ) -> c_int;
    pub(super) fn reelnet_fused_run(
        plan: *mut FusedPlan,
        source: *const c_void,
        weights: *const c_void,
        bias: *const c_void,
        gate: *const c_void,
        destination: *mut c_void,
        scratch: *mut c_void,
    ) -> c_int;
    pub(super) fn reelnet_fused_free(plan: *mut FusedPlan);
    pub(super) fn reelnet_onednn_plan(conv: *const Conv, plan: *mut *mut Plan, info: *mut PlanInfo) -> c_int;
    pub(super) fn reelnet_onednn_pack(plan: *const Plan, weights: *const c_void, packed: *mut c_void) -> c_int;
    pub(super) fn reelnet_onednn_run(
        plan: *const Plan,
        source: *mut c_void,
        weights: *mut c_void,
        bias: *mut c_void,
        destination: *mut c_void,
        scratch: *mut c_void,
    ) -> c_int;
    pub(super) fn reelnet_onednn_free(plan: *mut Plan);
    pub(super) fn reelnet_onednn_team(threads: i64, work: extern "C" fn(*mut c_void), context: *mut c_void) -> c_int;
    pub(super) fn reelnet_onednn_library(library: *mut Library);
    pub(super) fn reelnet_onednn_error() -> *const c_char;
}
