//! `reelnet doctor`

use std::io::{Write, stdout};
use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use reelnet_clips::{ffmpeg_version, has_decoder};
use reelnet_kernels::cpu as kernels;
use serde::Serialize;

use super::bundles;
use crate::args::DoctorArgs;
use crate::exit::Outcome;

/// What people's libraries are made of.
const DECODERS: [&str; 14] = [
    "h264",
    "hevc",
    "av1",
    "vp9",
    "vp8",
    "mpeg4",
    "mpeg2video",
    "theora",
    "prores",
    "mjpeg",
    "ffv1",
    "gif",
    "png",
    "webp",
];

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    found: String,
    /// What is wrong and how to mend it; nothing if all is well.
    problem: Option<String>,
}

impl Finding {
    fn well(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, found: found.into(), problem: None }
    }
}

pub(crate) fn doctor(args: &DoctorArgs) -> anyhow::Result<Outcome> {
    let findings = [
        Finding::well("reelnet", env!("CARGO_PKG_VERSION")),
        ffmpeg(),
        decoders(),
        cpu(),
        devices(),
        convolutions(),
        arithmetic(),
        folder("pulled models", bundles::pulled_folder()),
        folder("hub cache", Some(hub_cache())),
    ];
    let mut stdout = stdout().lock();
    if args.json {
        writeln!(stdout, "{}", serde_json::to_string_pretty(&findings)?)?;
    } else {
        for Finding { what, found, problem } in &findings {
            writeln!(stdout, "{what:14} {found}")?;
            if let Some(problem) = problem {
                writeln!(stdout, "{:14} problem: {problem}", "")?;
            }
        }
    }
    let problems = findings.iter().any(|finding| finding.problem.is_some());
    Ok(if problems { Outcome::SomeFailed } else { Outcome::Done })
}

fn ffmpeg() -> Finding {
    let version = ffmpeg_version();
    let (major, minor, micro) = version.codec;
    let found = format!("{} (libavcodec {major}.{minor}.{micro})", version.release);
    let problem = (major < 59).then(|| "FFmpeg 5.1 or newer is needed; install a newer one and build again".to_owned());
    Finding { what: "FFmpeg", found, problem }
}

fn decoders() -> Finding {
    let (present, absent): (Vec<&str>, Vec<&str>) = DECODERS.iter().partition(|codec| has_decoder(codec));
    let problem = (!absent.is_empty())
        .then(|| format!("no decoder for {}; install a fuller FFmpeg, or such files will fail", absent.join(", ")));
    Finding { what: "decoders", found: present.join(", "), problem }
}

fn cpu() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    #[cfg(target_arch = "x86_64")]
    let features: Vec<&str> = [
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512bf16", std::is_x86_feature_detected!("avx512bf16")),
        ("avx512vnni", std::is_x86_feature_detected!("avx512vnni")),
    ]
    .into_iter()
    .filter_map(|(name, present)| present.then_some(name))
    .collect();
    #[cfg(not(target_arch = "x86_64"))]
    let features: Vec<&str> = Vec::new();
    let features = if features.is_empty() { "none beyond the baseline".to_owned() } else { features.join(", ") };
    Finding::well("CPU", format!("{} on {cores} cores; features in use: {features}", std::env::consts::ARCH))
}

fn devices() -> Finding {
    let cuda = if cfg!(feature = "cuda") { "cuda" } else { "no cuda (built without the feature)" };
    Finding::well("devices", format!("cpu (burn-flex), {cuda}"))
}

/// What convolves on a CPU: with burn's own operations, networks take a multiple of the time.
fn convolutions() -> Finding {
    let found = match kernels::onednn() {
        Some(library) => {
            let threads = if library.takes_threads {
                format!("{} threads", kernels::threads())
            } else {
                "threads as its build has them".to_owned()
            };
            format!("oneDNN {}; instructions in use: {}; {threads}", library.version, library.instructions)
        }
        None => "burn-flex (built without oneDNN)".to_owned(),
    };
    Finding::well("convolutions", found)
}

/// Runs a small product, so that a backend that starts but computes nonsense is found here.
fn arithmetic() -> Finding {
    let device = Device::flex();
    let ones = Tensor::<2>::ones([64, 64], &device);
    let sum: f32 = ones.clone().matmul(ones).sum().into_scalar();
    let right = (sum - 262_144.0).abs() < 1.0;
    Finding {
        what: "arithmetic",
        found: if right { "right".to_owned() } else { format!("wrong: a sum is {sum}, expected 262144") },
        problem: (!right).then(|| "the tensor backend is broken on this machine; please report it".to_owned()),
    }
}

fn folder(what: &'static str, folder: Option<PathBuf>) -> Finding {
    match folder {
        Some(folder) if folder.is_dir() => Finding::well(what, folder.display().to_string()),
        Some(folder) => Finding::well(what, format!("{} (made when needed)", folder.display())),
        None => Finding {
            what,
            found: "none".to_owned(),
            problem: Some("this user has no home folder; set HOME".to_owned()),
        },
    }
}

fn hub_cache() -> PathBuf {
    let home = std::env::var_os("HF_HOME").map(PathBuf::from);
    home.or_else(|| dirs::home_dir().map(|home| home.join(".cache").join("huggingface")))
        .unwrap_or_default()
        .join("hub")
}
