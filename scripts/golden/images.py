"""Small images that FFmpeg cannot write, and what Pillow makes of them.

    python3 scripts/golden/images.py crates/reelnet-clips/tests/images

Writes the images, and beside each one `NAME.rgb`: all frames as raw RGB bytes, alpha dropped. Needs Pillow; the README in the
target folder tells the version that made the committed files.
"""

import sys
from pathlib import Path

from PIL import Image, ImageOps, ImageSequence

WIDTH, HEIGHT = 24, 16


def field(channels):
    """Smooth, different in every channel, and not symmetrical."""
    slopes = [(9, 3), (2, 14), (5, 7), (3, 6)]
    pixels = bytearray()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            pixels += bytes((20 + a * x + b * y * 11 // 16) % 256 for a, b in slopes[:channels])
    return bytes(pixels)


def expect(path):
    with Image.open(path) as image:
        frames = [frame.convert("RGBA").convert("RGB").tobytes() for frame in ImageSequence.Iterator(image)]
    path.with_name(path.name + ".rgb").write_bytes(b"".join(frames))


def moving(background):
    """A square that moves over a background; where that is transparent, frames must replace each other."""
    frames = []
    for step in range(5):
        frame = Image.new("RGBA", (WIDTH, HEIGHT), background)
        frame.paste((50 * step, 200, 250 - 50 * step, 255), (3 * step, 2 + step, 3 * step + 8, 10 + step))
        frames.append(frame)
    return frames


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    durations = [40, 80, 120, 40, 300]

    cmyk = Image.frombytes("CMYK", (WIDTH, HEIGHT), field(4))
    cmyk.save(folder / "cmyk.jpg", quality=95, subsampling=0)
    written = (folder / "cmyk.jpg").read_bytes()
    marker = written.index(b"Adobe")
    assert written[marker + 11] == 0, "Pillow writes CMYK as such"
    # Y, Cb, Cr and K in the place of C, M, Y and K: Adobe's marker and the names of the components tell the two apart.
    inks = cmyk.split()
    luma_chroma = Image.merge("RGB", inks[:3]).convert("YCbCr").split()
    Image.merge("CMYK", [*map(ImageOps.invert, luma_chroma), inks[3]]).save(folder / "ycck.jpg", quality=95, subsampling=0)
    ycck = bytearray((folder / "ycck.jpg").read_bytes())
    ycck[marker + 11] = 2
    frame, scan = ycck.index(b"\xff\xc0"), ycck.index(b"\xff\xda")
    for component in range(4):
        ycck[frame + 10 + 3 * component] = ycck[scan + 5 + 2 * component] = component + 1
    (folder / "ycck.jpg").write_bytes(ycck)
    (folder / "unnamed-inks.jpg").write_bytes(written.replace(b"Adobe", b"Adore"))

    rgb = Image.frombytes("RGB", (WIDTH, HEIGHT), field(3))
    rgb.convert("P", palette=Image.Palette.ADAPTIVE, colors=16).save(folder / "palette.png", transparency=3)
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.save(folder / "turned.webp", lossless=True, exif=exif)
    rgb.save(folder / "turned.tiff", exif=exif)
    rgb.save(folder / "turned.png", exif=exif)
    # A quarter turn clockwise.
    (folder / "turned.rgb").write_bytes(rgb.transpose(Image.Transpose.ROTATE_270).tobytes())

    solid, clear = moving((90, 60, 30, 255)), moving((0, 0, 0, 0))
    for name, frames, options in [
        ("solid.webp", solid, {"lossless": True}),
        ("lossy.webp", solid, {"quality": 90}),
        ("clear.webp", clear, {"lossless": True, "minimize_size": True}),
        ("solid.png", solid, {"disposal": 0}),
        ("background.png", clear, {"disposal": 1}),
        # Not the first: it cannot be replaced by what was before it, and Pillow leaves the standard there.
        ("previous.png", solid, {"disposal": [0, 2, 2, 2, 0]}),
        ("background.gif", solid, {"disposal": 2}),
        ("kept.gif", solid, {"disposal": 1}),
    ]:
        frames[0].save(folder / name, save_all=True, append_images=frames[1:], duration=durations, loop=0, **options)

    for path in sorted(folder.iterdir()):
        if path.suffix in {".jpg", ".webp", ".gif"} or path.name in {"palette.png", "solid.png", "background.png", "previous.png"}:
            if path.name not in {"turned.webp", "unnamed-inks.jpg"}:
                expect(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
