//! Decodes files made on the spot with the `ffmpeg` command, whose pixels say which frame they are.

mod bad_files;
mod barcode;
mod caching;
mod cancelling;
mod colours;
mod conformance;
mod containers;
mod damage;
mod golden_images;
mod hostile;
mod images;
mod isolate;
mod loading;
mod media;
mod ranges;
mod reduced;
mod shown_size;
mod timing;
