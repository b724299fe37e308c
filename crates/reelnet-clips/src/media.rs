//! Where videos and images come from: files, bytes in memory, and readers that the caller makes.

use std::fmt;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::folder::{self, Folder};
use crate::hollow::Hollow;
use crate::ranges::{Blocks, RangeReader};
use crate::stamp::FileStamp;
use crate::{ClipErrorKind, RangeSettings, RangeSource, gate};

/// A video or an image that can be opened, again and again.
///
/// Every function that opens one takes a path as well: `Decoder::open(&path, …)`.
///
/// ```
/// # use reelnet_clips::{Media, MediaIndex, Limits};
/// # use std::{io::Cursor, path::Path, sync::Arc};
/// # let downloaded: Vec<u8> = Vec::new();
/// let file = Media::path("clips/a.mp4");
/// let memory = Media::bytes("shard-7.tar/a.mp4", downloaded);
/// let object = Media::reader("s3://bucket/a.mp4", || Ok(Cursor::new(b"any Read and Seek")));
/// assert_eq!(MediaIndex::open(memory, &Limits::default()).unwrap_err().kind.name(), "empty");
/// assert_eq!(object.name(), Path::new("s3://bucket/a.mp4"));
/// ```
#[derive(Clone)]
pub struct Media {
    name: PathBuf,
    origin: Origin,
    fps: f64,
}

/// What FFmpeg reads through.
pub(crate) trait Reading: Read + Seek + Send {}

impl<R: Read + Seek + Send> Reading for R {}

type Opener = dyn Fn() -> io::Result<Box<dyn Reading>> + Send + Sync;

#[derive(Clone)]
enum Origin {
    /// The name is a path.
    Path,
    Bytes(Arc<[u8]>),
    Reader(Arc<Opener>),
    Ranged(Arc<Blocks>),
}

impl Media {
    /// A file, or a folder of numbered images (`000001.jpg`, `000002.jpg`, …), which is a video. Nothing is opened yet.
    ///
    /// Of a folder, all images must be of one series: the same text before the number, each number once. They are shown in the
    /// order of their numbers, from any first one; a missing number leaves a gap in time. Other files are left alone.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::new(path, Origin::Path)
    }

    /// A file's bytes. The name only serves error messages; what the bytes are is told by themselves.
    pub fn bytes(name: impl Into<PathBuf>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::new(name, Origin::Bytes(bytes.into()))
    }

    /// Anything that can be read and sought in, such as a member of a tar file or an object of a store.
    ///
    /// The function is called whenever reading has to start anew, from any thread, and must give the same bytes each time.
    /// A read that blocks cannot be cut off by [`Limits::deadline`](crate::Limits::deadline), which is looked at between
    /// reads: give readers of network connections a timeout of their own.
    pub fn reader<R: Read + Seek + Send + 'static>(
        name: impl Into<PathBuf>,
        opener: impl Fn() -> io::Result<R> + Send + Sync + 'static,
    ) -> Self {
        let boxed = move || opener().map(|reader| Box::new(reader) as Box<dyn Reading>);
        Self::new(name, Origin::Reader(Arc::new(boxed)))
    }

    /// Something of which every part costs a request, such as an object of a store. Blocks of it are kept for whoever opens it again.
    ///
    /// A read that blocks is let go when its time is up or the work is cancelled; see [`RangeSettings`]. The index of an MP4 with H.264 or
    /// H.265 is made of its header alone; of other files, and of MP4s in fragments, every byte is read for it.
    pub fn ranged(name: impl Into<PathBuf>, source: impl RangeSource, settings: RangeSettings) -> Self {
        Self::new(name, Origin::Ranged(Arc::new(Blocks::new(source, settings))))
    }

    /// How many numbers of a folder of images make a second: 25 if nobody says. Files know their own rate, and ignore this.
    #[must_use]
    pub fn at_fps(self, fps: f64) -> Self {
        Self { fps, ..self }
    }

    /// What errors call it: the path of a file, or the name that it was given.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Its path, if it is a file or a folder.
    pub fn as_path(&self) -> Option<&Path> {
        matches!(self.origin, Origin::Path).then_some(&self.name)
    }

    fn new(name: impl Into<PathBuf>, origin: Origin) -> Self {
        Self { name: name.into(), origin, fps: folder::DEFAULT_FPS }
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.as_path().is_some_and(Path::is_dir)
    }

    /// The images of a folder, if it is one.
    pub(crate) fn folder(&self) -> Result<Option<Folder>, ClipErrorKind> {
        if self.is_folder() { Folder::list(&self.name, self.fps).map(Some) } else { Ok(None) }
    }

    /// A reader at the start of at least one byte, and what tells this state of a file from others.
    pub(crate) fn open(&self) -> Result<(Box<dyn Reading>, Option<FileStamp>), ClipErrorKind> {
        let Origin::Path = self.origin else { return Ok((self.open_again(None)?, None)) };
        let mut file = gate::open(&self.name)?;
        let stamp = file.stamp().map_err(|error| gate::from_io(&error))?;
        Ok((Box::new(file), Some(stamp)))
    }

    /// A reader that can leave out what an index does not need, where every byte costs a request and the file is one that allows it.
    pub(crate) fn open_hollow(&self) -> Result<Option<(RangeReader, Arc<Hollow>)>, ClipErrorKind> {
        let Origin::Ranged(blocks) = &self.origin else { return Ok(None) };
        RangeReader::hollow(blocks).map_err(|error| gate::from_io(&error))
    }

    /// A reader of the same bytes as before.
    pub(crate) fn open_again(&self, stamp: Option<&FileStamp>) -> Result<Box<dyn Reading>, ClipErrorKind> {
        match &self.origin {
            Origin::Path => {
                let file = gate::open(&self.name)?;
                Ok(Box::new(if let Some(stamp) = stamp { file.cut_to(stamp)? } else { file }))
            }
            Origin::Bytes(bytes) if bytes.is_empty() => Err(ClipErrorKind::Empty),
            Origin::Bytes(bytes) => Ok(Box::new(io::Cursor::new(Arc::clone(bytes)))),
            Origin::Reader(opener) => not_empty(opener()),
            Origin::Ranged(blocks) => not_empty(Ok(Box::new(RangeReader::new(blocks)))),
        }
    }
}

fn not_empty(reader: io::Result<Box<dyn Reading>>) -> Result<Box<dyn Reading>, ClipErrorKind> {
    let opened = reader.and_then(|mut reader| {
        let length = reader.seek(io::SeekFrom::End(0))?;
        reader.rewind()?;
        Ok((reader, length))
    });
    match opened.map_err(|error| gate::from_io(&error))? {
        (_, 0) => Err(ClipErrorKind::Empty),
        (reader, _) => Ok(reader),
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            Origin::Path => "path".to_string(),
            Origin::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Origin::Reader(_) => "reader".to_string(),
            Origin::Ranged(_) => "ranges".to_string(),
        };
        formatter
            .debug_struct("Media")
            .field("name", &self.name)
            .field("origin", &origin)
            .field("fps", &self.fps)
            .finish()
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Media {
    fn from(path: &P) -> Self {
        Self::path(path.as_ref())
    }
}

impl From<PathBuf> for Media {
    fn from(path: PathBuf) -> Self {
        Self::path(path)
    }
}

impl From<&Media> for Media {
    fn from(media: &Media) -> Self {
        media.clone()
    }
}
