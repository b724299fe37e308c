//! The worker's side: requests in, replies out, one file at a time.

use std::ffi::OsStr;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use super::message::{Checked, Facts, Reply, Request, Salvaged, Shape, receive, send};
use crate::{Clip, Decoder};

/// Answers requests until the input ends. Nothing else may read the input or write to the output.
///
/// # Errors
/// If a pipe breaks, or what comes is no request.
pub fn serve(input: impl Read, output: impl Write) -> io::Result<()> {
    let (mut input, mut output) = (BufReader::new(input), BufWriter::new(output));
    let mut decoder = None;
    while let Some(request) = receive(&mut input)? {
        match request {
            Request::Open { path, bounds } => {
                let opened = Decoder::open(Path::new(OsStr::from_bytes(&path)), &bounds.limits());
                let (opened, reply) = match opened {
                    Ok(opened) => {
                        let facts = facts(&opened);
                        (Some(opened), Ok(facts))
                    }
                    Err(error) => (None, Err(error.kind)),
                };
                decoder = opened;
                send(&mut output, &Reply::Opened(reply))?;
            }
            Request::Clips { plans, geometry, deadline } => {
                let salvage = opened(&mut decoder, deadline)?.clips_salvaging(&plans, &geometry);
                let (salvaged, clips) = match salvage {
                    Ok(salvage) => {
                        let clips = salvage.clips.iter().map(|clip| clip.as_ref().map(Shape::of)).collect();
                        let error = salvage.error.map(|error| error.kind);
                        (Ok(Salvaged { clips, error }), salvage.clips)
                    }
                    Err(error) => (Err(error.kind), Vec::new()),
                };
                send(&mut output, &Reply::Clips(salvaged))?;
                for Clip { frames, .. } in clips.iter().flatten() {
                    output.write_all(frames.as_slice().ok_or(io::ErrorKind::InvalidData)?)?;
                }
            }
            Request::Check { deadline } => {
                let checked = opened(&mut decoder, deadline)?.check().map_err(|error| error.kind);
                let checked = checked.map(|soundness| Checked {
                    frames: soundness.frames,
                    doubtful: soundness.doubtful,
                    error: soundness.error.map(|error| error.kind),
                });
                send(&mut output, &Reply::Checked(checked))?;
            }
        }
        output.flush()?;
    }
    Ok(())
}

fn facts(decoder: &Decoder) -> Facts {
    let index = decoder.index();
    let timeline = index.timeline();
    Facts {
        info: index.info.clone(),
        pts_seconds: (0..timeline.frames()).map(|frame| timeline.pts_seconds(frame)).collect(),
        duration_seconds: timeline.duration_seconds(),
    }
}

fn opened(decoder: &mut Option<Decoder>, deadline: Duration) -> io::Result<&mut Decoder> {
    let decoder = decoder.as_mut().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no file is open"))?;
    decoder.set_deadline(deadline);
    Ok(decoder)
}
