//! One image: the first packet of a file, decoded.

use std::io::Cursor;
use std::sync::Arc;

use crate::libav::{FrameDecoder, Picture, ReadFailure, Received, Source, StreamFacts};
use crate::media::Media;
use crate::orientation::Orientation;
use crate::watch::{Activity, Watch};
use crate::{ClipErrorKind, Limits, animation, jpeg};

/// An image's picture, and what its file says about it.
pub(crate) struct Still {
    pub(crate) picture: Arc<Picture>,
    pub(crate) facts: StreamFacts,
}

impl Still {
    /// Opens a file for its first picture.
    pub(crate) fn open(media: &Media, limits: &Limits, watch: &Watch) -> Result<Self, ClipErrorKind> {
        let mut reader = media.open_again(None)?;
        if animation::is_animated_webp(&mut reader)? {
            let detail = "it is an animation; each frame must be a file of its own".to_string();
            return Err(ClipErrorKind::NothingDecodable { detail });
        }
        Self::decode(&mut Source::open(reader, watch)?, limits, watch)
    }

    /// Decodes the first packet of a source.
    ///
    /// Phones append further pictures (depth, gain maps) to an image file; only the first one is the image.
    pub(crate) fn decode(source: &mut Source, limits: &Limits, watch: &Watch) -> Result<Self, ClipErrorKind> {
        let undecodable = |detail: String| ClipErrorKind::NothingDecodable { detail };
        let packet = match source.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Err(undecodable("it is cut short before its first frame ends".to_string())),
            Err(ReadFailure::Interrupted) => return Err(watch.verdict()),
            Err(ReadFailure::Broken(detail)) => return Err(undecodable(detail)),
        };
        let bytes = packet.data().unwrap_or_default();
        let mut facts = source.facts().clone();
        if facts.codec == "mjpeg" {
            // FFmpeg paints what is missing grey, and takes any four components for those of Adobe.
            if !jpeg::is_complete(bytes) {
                return Err(undecodable("it is cut short before its first frame ends".to_string()));
            }
            if jpeg::has_unnamed_inks(bytes) {
                return Err(undecodable("it has four colours and no Adobe marker that names them".to_string()));
            }
        } else if let Some(orientation) = stated_orientation(&facts.codec, bytes) {
            facts.orientation = orientation;
        }
        let mut decoder = FrameDecoder::open(source, limits, 0)?;
        let received = watch.time(Activity::Decode, || {
            decoder.send(&packet)?;
            decoder.send_end()?;
            Ok(decoder.receive())
        });
        let is_sound = !decoder.take_complained();
        match received.map_err(undecodable)? {
            Received::Picture(picture) if is_sound && !picture.is_damaged() => {
                Ok(Self { picture: Arc::new(picture), facts })
            }
            Received::Damage(detail) => Err(undecodable(detail)),
            Received::Picture(_) | Received::NeedsInput | Received::End => {
                Err(undecodable("the picture is incomplete".to_string()))
            }
        }
    }

    /// How it must be turned to be upright.
    pub(crate) fn orientation(&self) -> Orientation {
        self.picture.orientation().unwrap_or(self.facts.orientation)
    }
}

/// The EXIF orientation of formats in which FFmpeg does not look for one.
fn stated_orientation(codec: &str, bytes: &[u8]) -> Option<Orientation> {
    if !["png", "webp", "tiff"].contains(&codec) {
        return None;
    }
    orientation_in(&exif::Reader::new().read_from_container(&mut Cursor::new(bytes)).ok()?)
}

pub(crate) fn orientation_in(exif: &exif::Exif) -> Option<Orientation> {
    Orientation::from_exif(exif.get_field(exif::Tag::Orientation, exif::In::PRIMARY)?.value.get_uint(0)?)
}
