//! Numbers that networks compute in.

use clap::ValueEnum;

/// Numbers that a network computes in on a CPU; sums have 32 bits always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionArg {
    /// 32-bit floats
    F32,
    /// The upper halves of floats: twice as fast on processors that have them, the third digit of a score may change
    Bf16,
    /// Bytes: four times as fast on processors that have them, for bundles of `reelnet model calibrate`
    Int8,
}

impl PrecisionArg {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}
