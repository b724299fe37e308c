//! Pixels against the formulas of ITU-R BT.601, BT.709 and BT.2020, worked out here in floating point, for all the ways in
//! which files store them.

use std::path::{Path, PathBuf};

use crate::barcode::{ffmpeg, folder, native, open, plan};

const WIDTH: usize = 48;
const HEIGHT: usize = 32;
const FRAMES: usize = 6;

/// Name of FFmpeg's pixel format, bits a sample, luma pixels for one of chroma (across, down; none without chroma), whether
/// there is alpha.
type Format = (&'static str, u32, Option<[usize; 2]>, bool);

const FORMATS: [Format; 28] = [
    ("yuv420p", 8, Some([2, 2]), false),
    ("yuv422p", 8, Some([2, 1]), false),
    ("yuv440p", 8, Some([1, 2]), false),
    ("yuv444p", 8, Some([1, 1]), false),
    ("yuv411p", 8, Some([4, 1]), false),
    ("yuv410p", 8, Some([4, 4]), false),
    ("yuva420p", 8, Some([2, 2]), true),
    ("yuva422p", 8, Some([2, 1]), true),
    ("yuva444p", 8, Some([1, 1]), true),
    ("yuv420p9le", 9, Some([2, 2]), false),
    ("yuv422p9le", 9, Some([2, 1]), false),
    ("yuv444p9le", 9, Some([1, 1]), false),
    ("yuv420p10le", 10, Some([2, 2]), false),
    ("yuv422p10le", 10, Some([2, 1]), false),
    ("yuv440p10le", 10, Some([1, 2]), false),
    ("yuv444p10le", 10, Some([1, 1]), false),
    ("yuva420p10le", 10, Some([2, 2]), true),
    ("yuva422p10le", 10, Some([2, 1]), true),
    ("yuva444p10le", 10, Some([1, 1]), true),
    ("yuv420p12le", 12, Some([2, 2]), false),
    ("yuv422p12le", 12, Some([2, 1]), false),
    ("yuv440p12le", 12, Some([1, 2]), false),
    ("yuv444p12le", 12, Some([1, 1]), false),
    ("gray", 8, None, false),
    ("gray9le", 9, None, false),
    ("gray10le", 10, None, false),
    ("gray12le", 12, None, false),
    ("ya8", 8, None, true),
];

/// FFmpeg's name, and the shares of red and blue in luma (BT.601 table 1, BT.709 item 3.2, BT.2020 table 4).
const MATRICES: [(&str, f64, f64); 3] =
    [("smpte170m", 0.299, 0.114), ("bt709", 0.2126, 0.0722), ("bt2020nc", 0.2627, 0.0593)];

/// Numbers that look random, the same in every run.
struct Noise(u32);

impl Noise {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u32::try_from((u64::from(self.0) * u64::from(end)) >> 32).expect("below the end")
    }
}

/// Luma of every pixel, and one colour a frame: what lies between two samples of chroma is not the question here.
struct Footage {
    luma: Vec<[u32; WIDTH * HEIGHT]>,
    chroma: Vec<[u32; 2]>,
}

impl Footage {
    fn noise(bits: u32) -> Self {
        let mut noise = Noise(bits);
        let end = 1 << bits;
        let luma = (0..FRAMES).map(|_| std::array::from_fn(|_| noise.below(end))).collect();
        // The first frame has no colour, the second the strongest that there is.
        let chroma = |frame| match frame {
            0 => [end / 2, end / 2],
            1 => [0, end - 1],
            _ => [noise.below(end), noise.below(end)],
        };
        Self { luma, chroma: (0..FRAMES).map(chroma).collect() }
    }

    /// As it lies in a raw file.
    fn bytes(&self, (name, bits, chroma, has_alpha): Format) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut noise = Noise(99);
        let mut put = |value: u32| match bits {
            8 => bytes.push(u8::try_from(value).expect("8 bits")),
            _ => bytes.extend(u16::try_from(value).expect("16 bits").to_le_bytes()),
        };
        for (luma, colour) in self.luma.iter().zip(&self.chroma) {
            for &luma in luma {
                put(luma);
                if name == "ya8" {
                    put(noise.below(256));
                }
            }
            if let Some([across, down]) = chroma {
                for part in colour {
                    (0..WIDTH / across * (HEIGHT / down)).for_each(|_| put(*part));
                }
                if has_alpha {
                    (0..WIDTH * HEIGHT).for_each(|_| put(noise.below(1 << bits)));
                }
            }
        }
        bytes
    }

    /// The RGB that the standards ask for, in steps of 8 bits.
    fn rgb(&self, (_, bits, chroma, _): Format, (_, red, blue): (&str, f64, f64), is_full: bool) -> Vec<[f64; 3]> {
        let step = f64::from(1_u32 << (bits - 8));
        let most = f64::from((1_u32 << bits) - 1);
        let mut pixels = Vec::new();
        for (luma, colour) in self.luma.iter().zip(&self.chroma) {
            for &luma in luma {
                let luma = if is_full { f64::from(luma) / most } else { (f64::from(luma) / step - 16.0) / 219.0 };
                let [of_blue, of_red] = match chroma {
                    None => [0.0, 0.0],
                    Some(_) => colour.map(|part| {
                        let difference = f64::from(part) - 128.0 * step;
                        if is_full { difference / most } else { difference / step / 224.0 }
                    }),
                };
                let reds = luma + 2.0 * (1.0 - red) * of_red;
                let blues = luma + 2.0 * (1.0 - blue) * of_blue;
                let greens = (luma - red * reds - blue * blues) / (1.0 - red - blue);
                pixels.push([reds, greens, blues].map(|channel| (channel * 255.0).clamp(0.0, 255.0)));
            }
        }
        pixels
    }
}

fn stored(folder: &Path, format: &str, matrix: &str, is_full: bool, bytes: &[u8]) -> PathBuf {
    let range = if is_full { "pc" } else { "tv" };
    let path = folder.join(format!("{format}-{matrix}-{range}.mkv"));
    let (size, name) = (format!("{WIDTH}x{HEIGHT}"), path.display().to_string());
    let tags = ["-colorspace", matrix, "-color_range", range];
    let input = [&["-f", "rawvideo", "-pix_fmt", format, "-s", &size][..], &tags, &["-i", "-"]].concat();
    ffmpeg([&input[..], &["-c:v", "ffv1", "-level", "3"], &tags, &[&name]].concat(), bytes);
    path
}

#[test]
fn every_format_follows_the_formula() {
    let folder = folder();
    let stated: Vec<_> = MATRICES.into_iter().flat_map(|matrix| [(matrix, false), (matrix, true)]).collect();
    for (number, format) in FORMATS.into_iter().enumerate() {
        let footage = Footage::noise(format.1);
        let bytes = footage.bytes(format);
        // All that a file can state for some formats, and two of it, in turn, for the others.
        let is_thorough = ["yuv420p", "yuva420p", "yuv444p10le", "gray"].contains(&format.0);
        for (case, &(matrix, is_full)) in stated.iter().enumerate() {
            if is_thorough || case % 3 == number % 3 {
                let path = stored(folder.path(), format.0, matrix.0, is_full, &bytes);
                let mut decoder = open(&path);
                let clip = decoder.clips(&[plan(0..FRAMES)], &native()).expect("all frames decode").remove(0);
                let info = &decoder.index().info;
                assert_eq!(info.pixel_format, format.0);
                let expected = footage.rgb(format, matrix, is_full);
                let found = clip.frames.as_slice().expect("contiguous").as_chunks::<3>().0;
                let worst = found
                    .iter()
                    .flatten()
                    .zip(expected.iter().flatten())
                    .fold(0.0_f64, |worst, (&found, expected)| worst.max((f64::from(found) - expected).abs()));
                // Rounding, and that of the factors. FFmpeg's scaler, which has the deeper formats, divides full range by a
                // power of two, not by one less.
                let allowed = if format.1 > 8 && is_full { 1.45 } else { 0.56 };
                assert!(worst <= allowed, "{} {} full={is_full}: {worst}", format.0, matrix.0);
            }
        }
    }
}

#[test]
fn rgb_of_more_bits_loses_only_those() {
    let folder = folder();
    for (format, bits) in [("gbrp", 8), ("gbrp10le", 10), ("gbrp12le", 12), ("gbrap", 8)] {
        let mut noise = Noise(bits);
        let planes: [Vec<u32>; 4] =
            std::array::from_fn(|_| (0..WIDTH * HEIGHT).map(|_| noise.below(1 << bits)).collect());
        let stored_planes = if format == "gbrap" { 4 } else { 3 };
        let bytes: Vec<u8> = planes[..stored_planes]
            .iter()
            .flatten()
            .flat_map(|&value| value.to_le_bytes().into_iter().take(if bits > 8 { 2 } else { 1 }))
            .collect();
        let path = folder.path().join(format!("{format}.mkv"));
        let (size, name) = (format!("{WIDTH}x{HEIGHT}"), path.display().to_string());
        let codec = if bits > 8 { "ffv1" } else { "magicyuv" };
        ffmpeg(["-f", "rawvideo", "-pix_fmt", format, "-s", &size, "-i", "-", "-c:v", codec, &name], &bytes);
        let mut decoder = open(&path);
        assert_eq!(decoder.index().info.pixel_format, format);
        let clip = decoder.clips(&[plan([0])], &native()).expect("it decodes").remove(0);
        let most = f64::from((1_u32 << bits) - 1);
        for (pixel, found) in clip.frames.as_slice().expect("contiguous").as_chunks::<3>().0.iter().enumerate() {
            // Planes are green, blue, red.
            for (&found, plane) in found.iter().zip([2, 0, 1]) {
                let exact = f64::from(planes[plane][pixel]) / most * 255.0;
                let apart = (f64::from(found) - exact).abs();
                assert!(apart <= if bits > 8 { 1.5 } else { 0.0 }, "{format}: {found} for {exact}");
            }
        }
    }
}

#[test]
fn more_bits_are_the_same_picture() {
    let folder = folder();
    let mut noise = Noise(7);
    // Luma and chroma that change smoothly, so that what lies between two samples of chroma counts.
    let wave = |width: usize, height: usize, slope: usize, from: u32| -> Vec<u32> {
        (0..width * height).map(|at| from + u32::try_from((at % width + at / width) * slope).expect("small")).collect()
    };
    for (name, [across, down]) in [("yuv420p", [2, 2]), ("yuv422p", [2, 1]), ("yuv444p", [1, 1])] {
        let planes = [
            (0..WIDTH * HEIGHT).map(|_| 16 + noise.below(220)).collect(),
            wave(WIDTH / across, HEIGHT / down, across, 40),
            wave(WIDTH / across, HEIGHT / down, across, 100),
        ]
        .concat();
        let frames = [8_u32, 10, 12].map(|bits| {
            let deep = format!("{name}{}", if bits == 8 { String::new() } else { format!("{bits}le") });
            let bytes: Vec<u8> = planes
                .iter()
                .flat_map(|value| (value << (bits - 8)).to_le_bytes().into_iter().take(if bits > 8 { 2 } else { 1 }))
                .collect();
            let path = stored(folder.path(), &deep, "bt709", false, &bytes);
            open(&path).clips(&[plan([0])], &native()).expect("it decodes").remove(0).frames
        });
        for deep in &frames[1..] {
            let apart = frames[0].iter().zip(deep).map(|(one, other)| one.abs_diff(*other)).max();
            // Two roundings, and where FFmpeg's scaler puts chroma: up to a quarter of its pixel from where ours does.
            assert!(apart <= Some(3), "{name}: {apart:?}");
        }
    }
}
