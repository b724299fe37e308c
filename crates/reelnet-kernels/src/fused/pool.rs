//! Pooling.

use super::FusedError;
use crate::fused::Number;
use crate::window::Window;

/// What a pooling computes.
#[derive(Clone, Debug, PartialEq)]
pub struct FusedPoolSpec {
    /// `[batch, frames, height, width, channels]` of the source.
    pub features: [usize; 5],
    /// Kernel, stride, padding; without dilation.
    pub window: Window,
    /// The mean of what is not padding instead of the largest.
    pub is_average: bool,
    /// What source and destination hold.
    pub number: Number,
    /// Threads that it is divided over.
    pub threads: usize,
}

impl FusedPoolSpec {
    /// `[batch, frames', height', width', channels]`
    pub fn output(&self) -> [usize; 5] {
        let [batch, size @ .., channels] = self.features;
        let [frames, height, width] = self.window.output(size);
        [batch, frames, height, width, channels]
    }
}

impl std::fmt::Display for FusedPoolSpec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [batch, frames, height, width, channels] = self.features;
        let kind = if self.is_average { "average" } else { "max" };
        write!(formatter, "{kind} pool {:?} on {batch}x{frames}x{height}x{width}, {channels}", self.window.kernel)
    }
}

/// A pooling that is ready to run.
#[derive(Debug)]
pub struct FusedPool {
    spec: FusedPoolSpec,
    kernel: kernel::PoolKernel,
}

impl FusedPool {
    /// Chooses a kernel.
    ///
    /// # Errors
    /// If there is none for it.
    pub fn new(spec: FusedPoolSpec) -> Result<Self, FusedError> {
        if spec.window.dilation != [1; 3] || spec.output().contains(&0) {
            return Err(FusedError("pooling takes windows without holes, on features that are larger".to_owned()));
        }
        let kernel = kernel::PoolKernel::new(&spec)?;
        Ok(Self { spec, kernel })
    }

    /// What it computes.
    pub fn spec(&self) -> &FusedPoolSpec {
        &self.spec
    }

    /// oneDNN's name of the kernel.
    pub fn implementation(&self) -> &str {
        self.kernel.implementation()
    }

    /// Bytes of scratch memory that a run needs.
    pub fn scratch_bytes(&self) -> usize {
        self.kernel.scratch_bytes()
    }

    /// Runs it.
    ///
    /// # Panics
    /// If memory is not as long as the spec says, or not on a cache line.
    pub fn run(&mut self, source: &[u8], destination: &mut [u8], scratch: &mut [u8]) {
        let bytes = |shape: [usize; 5]| shape.iter().product::<usize>() * self.spec.number.size();
        assert!(source.len() == bytes(self.spec.features), "the source is as long as the pooling's");
        assert!(destination.len() == bytes(self.spec.output()), "the destination is as long as the pooling's");
        assert!(scratch.len() >= self.kernel.scratch_bytes(), "scratch memory is as long as the kernel wants it");
        self.kernel.run(source, destination, scratch);
    }
}

#[cfg(onednn)]
use crate::onednn::fused as kernel;

#[cfg(not(onednn))]
mod kernel {
    //! What there is instead of kernels without oneDNN: nothing, so that nothing can be made.

    use crate::fused::{FusedError, FusedPoolSpec};

    #[derive(Debug)]
    pub(super) enum PoolKernel {}

    impl PoolKernel {
        pub(super) fn new(_spec: &FusedPoolSpec) -> Result<Self, FusedError> {
            Err(FusedError::without_onednn())
        }

        pub(super) fn implementation(&self) -> &str {
            match *self {}
        }

        pub(super) fn scratch_bytes(&self) -> usize {
            match *self {}
        }

        pub(super) fn run(&mut self, _source: &[u8], _destination: &mut [u8], _scratch: &mut [u8]) {
            match *self {}
        }
    }
}
