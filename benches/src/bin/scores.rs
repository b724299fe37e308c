//! Scores that nobody computed: an evaluation as large as somebody's, to measure what reads it.
//!
//! `scores FOLDER VIDEOS CLIPS CROPS CLASSES` writes the folder as `reelnet eval` does; its logits are random, from one seed.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use reelnet_infer::evaluation::{
    DataId, FileFacts, HEADER_FILE, Header, Journal, ModelId, Protocol, RECORDS_FILE, Record, Scored, Shard, View,
    ViewSettings, Views,
};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: scores FOLDER VIDEOS CLIPS CROPS CLASSES";
    let folder = PathBuf::from(arguments.next().context(usage)?);
    let numbers: Vec<usize> = arguments
        .map(|number| number.to_str().and_then(|text| text.parse().ok()).context(usage))
        .collect::<Result<_, _>>()?;
    let [videos, clips, crops, classes]: [usize; 4] = numbers.try_into().ok().context(usage)?;
    let header = Header {
        format: 1,
        reelnet: env!("CARGO_PKG_VERSION").to_owned(),
        decoder: "none".to_owned(),
        model: ModelId { name: "random".to_owned(), sha256: "00".repeat(32), precision: "f32".to_owned(), macs: 1 },
        views: ViewSettings {
            protocol: Protocol::Tf,
            views: Views { clips, crops },
            frames: 32,
            frame_step: 2,
            resize: 256,
            crop: 256,
        },
        labels: (0..classes).map(|class| format!("class {class}")).collect(),
        data: DataId {
            name: "random".to_owned(),
            sha256: "00".repeat(32),
            files: videos as u64,
            missing: Vec::new(),
            repeated: 0,
        },
        shard: Shard::WHOLE,
    };
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(HEADER_FILE), serde_json::to_vec(&header)?)?;
    let (mut journal, before) = Journal::open(&folder.join(RECORDS_FILE))?;
    anyhow::ensure!(before == 0, "there are records in `{}` already", folder.display());
    let mut random = Random(20_261_124);
    for position in 0..videos {
        let label = random.next() as usize % classes;
        let views: Vec<View> = (0..clips * crops)
            .map(|view| View {
                clip: u32::try_from(view / crops).unwrap_or(u32::MAX),
                crop: u32::try_from(view % crops).unwrap_or(u32::MAX),
                start_seconds: (view / crops) as f64,
            })
            .collect();
        let mut logits: Vec<f32> = (0..views.len() * classes).map(|_| random.unit() * 6.0).collect();
        logits.chunks_exact_mut(classes).for_each(|view| view[label] += 3.0);
        let file = FileFacts {
            bytes: 1 << 20,
            duration_seconds: 10.0,
            codec: "h264".to_owned(),
            frames: 300,
            is_short: false,
        };
        let name = format!("video {position}.mp4");
        journal.write(&Record::Scored(Scored {
            position: position as u64,
            name,
            labels: vec![label],
            file,
            views,
            logits,
            seconds: 1.0,
        }))?;
    }
    Ok(())
}

/// xorshift64*: even, and fast.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 24) as f32
    }
}
