//! `reelnet probe`

use std::io::{Write, stdout};
use std::path::Path;
use std::time::Duration;

use reelnet_clips::{ClipError, Decoder, Limits, MediaIndex, VideoInfo};
use serde_json::{Value, json};

use crate::args::ProbeArgs;
use crate::exit::Outcome;

pub(crate) fn probe(args: &ProbeArgs) -> anyhow::Result<Outcome> {
    let mut failed = false;
    for path in &args.files {
        let facts = if args.count { counted(path) } else { indexed(path) };
        failed |= facts.is_err();
        let mut stdout = stdout().lock();
        if args.json {
            writeln!(stdout, "{}", as_json(path, facts.as_ref()))?;
        } else {
            writeln!(stdout, "{}", as_text(path, facts.as_ref()))?;
        }
    }
    Ok(if failed { Outcome::SomeFailed } else { Outcome::Done })
}

/// What is known of a file.
struct Facts {
    info: VideoInfo,
    /// Frames that came out of the decoder, if it was asked.
    decoded: Option<usize>,
    damage: Option<String>,
}

fn indexed(path: &Path) -> Result<Facts, ClipError> {
    let info = MediaIndex::open(path, &Limits::default())?.info;
    let damage = info.damage().map(|damage| damage.to_string());
    Ok(Facts { info, decoded: None, damage })
}

/// Counting takes as long as it takes: who asks for it waits for it.
fn counted(path: &Path) -> Result<Facts, ClipError> {
    let mut decoder = Decoder::open(path, &Limits { deadline: Duration::MAX, ..Limits::default() })?;
    let soundness = decoder.check()?;
    let info = decoder.index().info.clone();
    match soundness.error {
        Some(error) if soundness.frames == 0 => Err(error),
        error => Ok(Facts { info, decoded: Some(soundness.frames), damage: error.map(|error| error.kind.to_string()) }),
    }
}

/// What is known of every file that can be read.
const ALWAYS: [&str; 10] = [
    "container",
    "codec",
    "width",
    "height",
    "rotation",
    "frames",
    "duration_seconds",
    "fps",
    "variable_frame_rate",
    "keyframes",
];

fn as_json(path: &Path, facts: Result<&Facts, &ClipError>) -> Value {
    let path = path.display().to_string();
    match facts {
        Ok(Facts { info, decoded, damage }) => {
            let status = if damage.is_some() { "damaged" } else { "ok" };
            let mut row = json!({ "path": path, "status": status, "why": damage });
            if let (Value::Object(row), Ok(Value::Object(info))) = (&mut row, serde_json::to_value(info)) {
                row.extend(info);
                if let Some(decoded) = decoded {
                    row.insert("frames".to_owned(), json!(decoded));
                }
            }
            row
        }
        Err(error) => {
            let mut row = json!({ "path": path, "status": "failed", "why": error.kind.to_string() });
            if let Value::Object(row) = &mut row {
                row.insert("kind".to_owned(), json!(error.kind.name()));
                // The same keys in every row: they become columns elsewhere.
                row.extend(ALWAYS.map(|key| (key.to_owned(), Value::Null)));
            }
            row
        }
    }
}

fn as_text(path: &Path, facts: Result<&Facts, &ClipError>) -> String {
    let Facts { info, decoded, damage } = match facts {
        Ok(facts) => facts,
        Err(error) => return format!("{}\n  failed: {}", path.display(), error.kind),
    };
    let mut shape = vec![format!("{} × {} as shown", info.width, info.height)];
    if (info.coded_width, info.coded_height) != (info.width, info.height) {
        shape.push(format!("coded {} × {}", info.coded_width, info.coded_height));
    }
    if info.rotation != 0 {
        shape.push(format!("turned by {}°", info.rotation));
    }
    if info.mirrored {
        shape.push("mirrored".to_owned());
    }
    let mut lines = vec![
        path.display().to_string(),
        format!("  {} in {}, {}", info.codec, info.container, info.pixel_format),
        format!("  {}", shape.join(", ")),
    ];
    if !info.is_image {
        let rate = if info.variable_frame_rate { "variable, on average " } else { "" };
        lines.push(format!(
            "  {:.3} s, {} frames ({} key frames), {rate}{:.3} a second",
            info.duration_seconds, info.frames, info.keyframes, info.fps
        ));
        if let Some(claimed) = info.claimed_frames.filter(|&claimed| claimed != info.frames as u64) {
            lines.push(format!("  the container claims {claimed} frames"));
        }
        if let Some(decoded) = decoded {
            lines.push(format!("  {decoded} frames were decoded"));
        }
    }
    lines.push(format!("  colours: {}, {} range", info.colour_matrix, info.colour_range));
    if let Some(damage) = damage {
        lines.push(format!("  {damage}"));
    }
    lines.join("\n")
}
