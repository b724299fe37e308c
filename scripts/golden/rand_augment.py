"""RandAugment's sixteen operations on a made image, from their definitions.

    python3 scripts/golden/rand_augment.py crates/reelnet-train/tests/golden/rand-augment.safetensors

Integers and float32 where the released TensorFlow code has them. Pillow's ImageOps and ImageFilter, which that code follows,
are the referee of what they share with it: autocontrast, equalize, posterize, invert, smoothing. Needs numpy and Pillow.

This is arithmetic of its own and not TensorFlow. It was compared once by hand, on 2026-11-23, with the kernels of TensorFlow 2.12.0
(numpy 1.23.5) on this image: whole results of ten operations, equal to the byte, and only parts of the others'. Sharpness differs: TensorFlow sums thirteenths in float32, and of a flat area of 256 values 53 lose 1 before the
fraction is cut off; which ones depends on the order in which a processor adds. Here the sum is exact.
"""

import datetime
import json
import struct
import sys
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageFilter, ImageOps

SEED = 20261123
HEIGHT, WIDTH = 23, 30
F32 = np.float32


def image():
    """Noise over slopes: every channel different, no byte of 0 or 255, darker half and lighter half, a flat corner."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    slopes = np.stack([40 + 5 * x + 2 * y, 200 - 4 * x + y, 30 + 7 * y + x], axis=-1)
    made = np.clip(slopes + generator.integers(-25, 26, slopes.shape), 7, 243).astype(np.uint8)
    made[-6:, -7:] = (90, 91, 92)
    return made


def blend(degenerate, original, factor):
    """degenerate + factor * (original - degenerate), clipped, cut off; untouched for a factor of 1."""
    if factor == 1.0:
        return original
    low, high = degenerate.astype(F32), original.astype(F32)
    return np.clip(low + F32(factor) * (high - low), 0, 255).astype(np.uint8)


def grey(pixels):
    """TensorFlow's: to [0, 1], weighted, and back by 255.5."""
    unit = pixels.astype(F32) * F32(1 / 255)
    weighted = unit[..., 0] * F32(0.2989) + unit[..., 1] * F32(0.587) + unit[..., 2] * F32(0.114)
    return (weighted * F32(255.5)).astype(np.uint8)[..., None].repeat(3, axis=-1)


def contrast(pixels, factor):
    # The sum of the histogram over its 256 bins: the number of pixels, not their mean. As released.
    flat = np.full_like(pixels, int(min(255.0, pixels.shape[0] * pixels.shape[1] / 256.0)))
    return blend(flat, pixels, factor)


def autocontrast(pixels):
    result = pixels.copy()
    for channel in range(3):
        values = pixels[..., channel].astype(F32)
        low, high = values.min(), values.max()
        if high > low:
            scale = F32(255.0) / (high - low)
            result[..., channel] = np.clip(values * scale + -low * scale, 0, 255).astype(np.uint8)
    return result


def equalize(pixels):
    result = pixels.copy()
    for channel in range(3):
        counts = np.bincount(pixels[..., channel].ravel(), minlength=256)
        step = (counts.sum() - counts[np.nonzero(counts)[0][-1]]) // 255
        if step > 0:
            table = np.clip((np.concatenate([[0], np.cumsum(counts)[:-1]]) + step // 2) // step, 0, 255)
            # The released code shifts the sum after dividing it, so its first entry is 0 and not (step // 2) // step: the same.
            result[..., channel] = table[pixels[..., channel]]
    return result


def sharpness(pixels, factor):
    wide = pixels.astype(np.int64)
    total = 4 * wide[1:-1, 1:-1]
    for dy in range(3):
        for dx in range(3):
            total = total + wide[dy : dy + HEIGHT - 2, dx : dx + WIDTH - 2]
    smooth = pixels.copy()
    smooth[1:-1, 1:-1] = total // 13
    return blend(smooth, pixels, factor)


def posterize(pixels, bits):
    # Shifts outside of a byte's eight bits wrap to bytes, and are then held to seven bits, as TensorFlow's kernels do.
    shift = min((8 - int(bits)) % 256, 7)
    return (pixels >> shift) << shift


def solarize(pixels, threshold):
    # A threshold becomes a byte before it is compared: 256 is 0, and inverts everything.
    return np.where(pixels < int(threshold) % 256, pixels, 255 - pixels)


def solarize_add(pixels, addition):
    return np.where(pixels < 128, np.clip(pixels.astype(np.int64) + int(addition), 0, 255), pixels).astype(np.uint8)


def warp(pixels, matrix):
    """The pixel at (x, y) comes from the nearest one to (a x + b y + c, d x + e y + f); 128 where there is none."""
    a, b, c, d, e, f = (F32(number) for number in matrix)
    result = np.full_like(pixels, 128)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            from_x, from_y = (p * F32(x) + q * F32(y) + r for p, q, r in ((a, b, c), (d, e, f)))
            # Half away from zero.
            near_x, near_y = (int(np.sign(v) * np.floor(abs(v) + F32(0.5))) for v in (from_x, from_y))
            if 0 <= near_x < WIDTH and 0 <= near_y < HEIGHT:
                result[y, x] = pixels[near_y, near_x]
    return result


def rotate(pixels, degrees):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    right, bottom = WIDTH - 1, HEIGHT - 1
    x_offset = (right - (cos * right - sin * bottom)) / 2
    y_offset = (bottom - (sin * right + cos * bottom)) / 2
    return warp(pixels, [cos, -sin, x_offset, sin, cos, y_offset])


def cutout(pixels, half, row, column):
    result = pixels.copy()
    half = int(half)
    result[max(0, row - half) : max(0, row + half), max(0, column - half) : max(0, column + half)] = 128
    return result


# The operation, its argument at a magnitude, and what it does.
OPERATIONS = {
    "auto-contrast": (lambda m: 0.0, lambda p, _: autocontrast(p)),
    "equalize": (lambda m: 0.0, lambda p, _: equalize(p)),
    "invert": (lambda m: 0.0, lambda p, _: 255 - p),
    "rotate": (lambda m: m / 10 * 30, rotate),
    "posterize": (lambda m: int(m / 10 * 4), posterize),
    "solarize": (lambda m: int(m / 10 * 256), solarize),
    "colour": (lambda m: m / 10 * 1.8 + 0.1, lambda p, v: blend(grey(p), p, v)),
    "contrast": (lambda m: m / 10 * 1.8 + 0.1, contrast),
    "brightness": (lambda m: m / 10 * 1.8 + 0.1, lambda p, v: blend(np.zeros_like(p), p, v)),
    "sharpness": (lambda m: m / 10 * 1.8 + 0.1, sharpness),
    "shear-x": (lambda m: m / 10 * 0.3, lambda p, v: warp(p, [1, v, 0, 0, 1, 0])),
    "shear-y": (lambda m: m / 10 * 0.3, lambda p, v: warp(p, [1, 0, 0, v, 1, 0])),
    "translate-x": (lambda m: m / 10 * 100, lambda p, v: warp(p, [1, 0, v, 0, 1, 0])),
    "translate-y": (lambda m: m / 10 * 100, lambda p, v: warp(p, [1, 0, 0, 0, 1, v])),
    "cutout": (lambda m: int(m / 10 * 40), None),
    "solarize-add": (lambda m: int(m / 10 * 110), solarize_add),
}
MAGNITUDES = [0, 5, 10, 15, 28]
SIGNED = {"rotate", "shear-x", "shear-y", "translate-x", "translate-y"}
# Within the small image, where released strengths would leave nothing to compare.
MORE = {"translate-x": [3.0, 3.4, -4.5], "translate-y": [2.5, -7.0], "cutout": [2.0, 5.0], "posterize": [1.0, 2.0, 3.0]}
PLACES = [(0.0, 0.0), (0.5, 0.4), (0.99, 0.3)]


def cases():
    made = image()
    for name, (argument, apply) in OPERATIONS.items():
        strengths = sorted({float(argument(magnitude)) for magnitude in MAGNITUDES} | set(MORE.get(name, [])))
        if name in SIGNED:
            strengths = sorted({sign * strength for strength in strengths for sign in (1, -1)})
        for strength in strengths:
            if name != "cutout":
                yield name, strength, (0.0, 0.0), apply(made, strength)
                continue
            for row, column in PLACES:
                yield name, strength, (row, column), cutout(made, strength, int(row * HEIGHT), int(column * WIDTH))


def referee(made):
    """Where Pillow defines the same thing, it has to agree: to the byte, or to one where it rounds instead of cutting off."""
    picture = Image.fromarray(made)
    difference = lambda ours, theirs: int(np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).max())
    assert difference(255 - made, ImageOps.invert(picture)) == 0
    assert difference(equalize(made), ImageOps.equalize(picture)) == 0
    assert difference(autocontrast(made), ImageOps.autocontrast(picture)) <= 1
    for bits in (1, 2, 4, 6, 8):
        assert difference(posterize(made, bits), ImageOps.posterize(picture, bits)) == 0
    for threshold in (64, 128, 230):
        assert difference(solarize(made, threshold), ImageOps.solarize(picture, threshold)) == 0
    assert difference(sharpness(made, 0.0), picture.filter(ImageFilter.SMOOTH)) <= 1


def main(path):
    made = image()
    referee(made)
    tensors, described, keys = [("input", made)], [], {made.tobytes(): "input"}
    for name, strength, place, result in cases():
        result = np.ascontiguousarray(result, dtype=np.uint8)
        key = keys.setdefault(result.tobytes(), f"result.{len(keys):03}")
        described.append({"key": key, "operation": name, "strength": strength, "place": place})
        if all(key != known for known, _ in tensors):
            tensors.append((key, result))
    metadata = {
        "cases": json.dumps(described),
        "magnitudes": json.dumps({n: [[m, float(f(m))] for m in MAGNITUDES] for n, (f, _) in OPERATIONS.items()}),
        "made_by": f"scripts/golden/rand_augment.py with numpy {np.__version__}, pillow {PIL.__version__}, seed {SEED}",
        "date": datetime.date.today().isoformat(),
    }
    # safetensors by hand: a header of JSON, then the bytes, so that nothing but numpy and Pillow is needed.
    header, offset = {"__metadata__": metadata}, 0
    for key, tensor in tensors:
        header[key] = {"dtype": "U8", "shape": tensor.shape, "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(tensor.tobytes() for _, tensor in tensors))
    print(f"{len(described)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
