//! `reelnet probe`

use std::io::{Write, stdout};
use std::path::Path;

use reelnet_clips::{ClipError, Limits, MediaIndex, VideoInfo};
use serde_json::{Value, json};

use crate::args::ProbeArgs;
use crate::exit::Outcome;

pub(crate) fn probe(args: &ProbeArgs) -> anyhow::Result<Outcome> {
    let limits = Limits::default();
    let mut failed = false;
    for path in &args.files {
        let index = MediaIndex::open(path, &limits);
        failed |= index.is_err();
        let mut stdout = stdout().lock();
        if args.json {
            writeln!(stdout, "{}", as_json(path, index.as_ref().map(|index| &index.info)))?;
        } else {
            writeln!(stdout, "{}", as_text(path, index.as_ref().map(|index| &index.info)))?;
        }
    }
    Ok(if failed { Outcome::SomeFailed } else { Outcome::Done })
}

fn as_json(path: &Path, info: Result<&VideoInfo, &ClipError>) -> Value {
    let path = path.display().to_string();
    match info {
        Ok(info) => {
            let damage = info.damage().map(|damage| damage.to_string());
            let status = if damage.is_some() { "damaged" } else { "ok" };
            let mut row = json!({ "path": path, "status": status, "why": damage });
            if let (Value::Object(row), Ok(Value::Object(info))) = (&mut row, serde_json::to_value(info)) {
                row.extend(info);
            }
            row
        }
        Err(error) => {
            json!({ "path": path, "status": "failed", "kind": error.kind.name(), "why": error.kind.to_string() })
        }
    }
}

fn as_text(path: &Path, info: Result<&VideoInfo, &ClipError>) -> String {
    let info = match info {
        Ok(info) => info,
        Err(error) => return format!("{}\n  failed: {}", path.display(), error.kind),
    };
    let mut facts = vec![format!("{} × {} as shown", info.width, info.height)];
    if (info.coded_width, info.coded_height) != (info.width, info.height) {
        facts.push(format!("coded {} × {}", info.coded_width, info.coded_height));
    }
    if info.rotation != 0 {
        facts.push(format!("turned by {}°", info.rotation));
    }
    if info.mirrored {
        facts.push("mirrored".to_owned());
    }
    let mut lines = vec![
        path.display().to_string(),
        format!("  {} in {}, {}", info.codec, info.container, info.pixel_format),
        format!("  {}", facts.join(", ")),
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
    }
    lines.push(format!("  colours: {}, {} range", info.colour_matrix, info.colour_range));
    if let Some(damage) = info.damage() {
        lines.push(format!("  {damage}"));
    }
    lines.join("\n")
}
