//! The words of inflation.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct InflateArgs {
    /// The 2D bundle
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// How a 2D kernel fills a temporal one
    #[arg(long, value_enum, default_value_t = MethodArg::Mean)]
    pub(crate) method: MethodArg,
    /// 3D topology
    #[arg(long, value_enum, default_value_t = Topology::Inflated)]
    pub(crate) topology: Topology,
    /// Temporal kernel of the first convolution, odd
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) stem_kernel: usize,
    /// Temporal stride of the first convolution
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) stem_stride: usize,
    /// Temporal kernels of the four stages, odd
    #[arg(long, default_value = "1,1,3,3", value_name = "A,B,C,D", value_parser = four)]
    pub(crate) stage_kernels: [usize; 4],
    /// Temporal strides of the four stages
    #[arg(long, default_value = "1,1,1,1", value_name = "A,B,C,D", value_parser = four)]
    pub(crate) stage_strides: [usize; 4],
    /// Start a new classifier of this size instead of keeping the 2D one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) classes: Option<u32>,
    /// Names of the new classifier's classes, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// Draws what is new
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Frames of a clip
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) frames: u32,
    /// Step between the frames of a clip
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) frame_step: u32,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a 2D kernel fills a temporal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodArg {
    /// Every frame gets the kernel over the number of frames
    Mean,
    /// The middle frame gets the kernel, the others zeros
    #[value(alias = "center")]
    Centre,
}

/// 3D topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topology {
    /// The 2D topology with a time axis: proven on a still clip
    Inflated,
    /// 3D ResNet-RS of the Model Garden: another stem pool, other shortcuts, self-gating; nothing to prove
    ModelGarden,
}

fn four(text: &str) -> Result<[usize; 4], String> {
    let numbers: Vec<usize> = text.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let count = text.split(',').count();
    match <[usize; 4]>::try_from(numbers) {
        Ok(numbers) if count == 4 && !numbers.contains(&0) => Ok(numbers),
        _ => Err(format!("`{text}` is no list of four, expected four numbers of at least 1, such as 1,1,3,3")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_four() {
        assert_eq!(four("1, 2,3,4"), Ok([1, 2, 3, 4]));
        for bad in ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "0,1,1,1", "1,2,3,4,x"] {
            assert!(four(bad).is_err(), "{bad}");
        }
    }
}
