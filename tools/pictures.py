#!/usr/bin/env python3
"""The drawings of the docs, as SVG, from the equations that they show. By the standard library alone.

usage: pictures.py [--check]     writes docs/pictures/*.svg; --check: compares instead"""
import math
import pathlib
import random
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "docs" / "pictures"
INK, GREY, PALE = "#222222", "#777777", "#e8e8e8"
BLUE, ORANGE, GREEN, PURPLE = "#1f6fb4", "#c95f02", "#23893b", "#7a4fa3"


class Drawing:
    """Lines, boxes and words on white, so that they can be read on a dark page, too."""

    def __init__(self, title, width, height):
        self.size, self.title = (width, height), title
        self.parts, self.colours = [], {}

    def line(self, points, colour=INK, width=1.4, dashes=None, arrow=False):
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        more = f' stroke-dasharray="{dashes}"' if dashes else ""
        if arrow:
            self.colours[colour] = f"arrow{len(self.colours)}" if colour not in self.colours else self.colours[colour]
            more += f' marker-end="url(#{self.colours[colour]})"'
        self.parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{more}/>')

    def box(self, x, y, width, height, fill="#ffffff", stroke=INK, round=3, dashes=None):
        more = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{round}" fill="{fill}" stroke="{stroke}"{more}/>')

    def dot(self, x, y, radius=3, fill=INK):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}"/>')

    def text(self, x, y, words, colour=INK, anchor="start", size=13, style=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}"{style}>{words}</text>')

    def svg(self):
        width, height = self.size
        markers = "".join(f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
                          f'<path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>' for colour, name in self.colours.items())
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
                f'font-family="Helvetica,Arial,sans-serif"><title>{self.title}</title><defs>{markers}</defs>'
                f'<rect width="{width}" height="{height}" fill="#ffffff"/>' + "".join(self.parts) + "</svg>\n")


def layer():
    """One layer: forward, what its record keeps, and the two arrows back."""
    d = Drawing("A layer: forward in black, gradients in time and in space in colour", 720, 300)
    names = [("spikes of the", "layer below"), ("synapse", "W x"), ("norm", "optional"), ("neuron", "u, s"), ("spikes to the", "layer above")]
    left = [20, 165, 310, 455, 600]
    for x, (first, second) in zip(left, names):
        d.box(x, 70, 105, 54, PALE if "spikes" in first else "#ffffff")
        d.text(x + 52, 93, first, anchor="middle")
        d.text(x + 52, 111, second, anchor="middle", colour=GREY)
    for x in left[:-1]:
        d.line([(x + 105, 97), (x + 143, 97)], arrow=True)
    d.line([(530, 70), (530, 38), (484, 38), (484, 69)], arrow=True)
    d.text(507, 30, "state, step to step", anchor="middle", size=12, colour=GREY)
    d.line([(652, 150), (652, 175), (509, 175), (509, 128)], colour=ORANGE, width=2, arrow=True)
    d.text(660, 168, "delta", colour=ORANGE)
    d.text(580, 194, "the rule: g[t] from delta", colour=ORANGE, anchor="middle")
    d.text(580, 210, "in time", colour=GREY, anchor="middle", size=12)
    d.line([(455, 150), (218, 150), (218, 127)], colour=ORANGE, width=2, arrow=True)
    d.text(336, 145, "g[t] = dL/dI[t]", colour=ORANGE, anchor="middle")
    d.line([(190, 127), (190, 200), (74, 200), (74, 127)], colour=BLUE, width=2, arrow=True)
    d.text(20, 219, "delta of the layer below", colour=BLUE)
    d.text(20, 235, "by W transposed, or a feedback", colour=GREY, size=12)
    d.text(20, 250, "in space", colour=GREY, size=12)
    d.line([(250, 127), (250, 276)], colour=GREEN, width=2, arrow=True)
    d.text(262, 272, "dW = sum over t of g[t] (x) q[t], q: the input or a trace of it", colour=GREEN)
    return d


def windows_and_blocks():
    """Layers by steps, cut into blocks and windows."""
    d = Drawing("Layers upward, steps to the right, cut into windows of 3 steps and blocks of 2 layers", 720, 330)
    left, top, wide, high, T, L = 110, 40, 58, 50, 9, 4
    for block in range(2):
        for window in range(3):
            d.box(left + window * 3 * wide - 4, top + (1 - block) * 2 * high - 4, 3 * wide - 6, 2 * high - 6, "#f4f7fb", BLUE, dashes="5 3")
    for layer_ in range(L):
        y = top + (L - 1 - layer_) * high + 16
        d.text(left - 16, y + 5, f"layer {layer_ + 1}", anchor="end")
        for t in range(T):
            x = left + t * wide + 20
            d.dot(x, y, 5)
            if t + 1 < T:
                d.line([(x + 7, y), (x + wide - 9, y)], colour=GREY, arrow=True)
                if t % 3 != 2:
                    d.line([(x + wide - 9, y + 9), (x + 8, y + 9)], colour=ORANGE, arrow=True)
            if layer_ + 1 < L:
                d.line([(x - 3, y - 7), (x - 3, y - high + 9)], colour=GREY, arrow=True)
                if layer_ % 2 == 0:
                    d.line([(x + 5, y - high + 9), (x + 5, y - 9)], colour=ORANGE, arrow=True)
    for block in range(2):
        y = top + (1 - block) * 2 * high + high - 8
        d.box(left + T * wide + 6, y - 16, 70, 34, "#fff6ee", ORANGE)
        d.text(left + T * wide + 41, y + 5, "head", anchor="middle", colour=ORANGE)
    for t in range(T):
        d.text(left + t * wide + 20, top + L * high + 18, f"t = {t + 1}", anchor="middle", colour=GREY, size=12)
    d.line([(110, 290), (138, 290)], colour=GREY, arrow=True)
    d.text(146, 294, "spikes and states", size=12)
    d.line([(296, 290), (268, 290)], colour=ORANGE, arrow=True)
    d.text(304, 294, "gradient: stays in its window and block", size=12)
    d.box(570, 281, 26, 16, "#f4f7fb", BLUE, dashes="5 3")
    d.text(604, 294, "kept at one time", size=12)
    d.text(110, 318, "Each block has a head with a loss of its own; the output layer is the last block's head.", size=12, colour=GREY)
    return d


def local_head():
    """Where a local head reads its block, and how far its gradient goes."""
    d = Drawing("A block, its local head, and the gradient that stays in the block", 720, 300)
    d.box(150, 132, 330, 92, "#f4f7fb", BLUE, dashes="5 3")
    d.text(158, 150, "block", colour=BLUE)
    for x, words, under in ((20, "block below", "spikes"), (170, "synapse, norm,", "neurons"), (285, "synapse, norm,", "neurons"), (400, "pooling", ""),
                            (560, "next block", "spikes")):
        wide = 105 if under else 64
        d.box(x, 160, wide, 50, PALE if under == "spikes" else "#ffffff")
        d.text(x + wide / 2, 181 if under else 190, words, anchor="middle")
        d.text(x + wide / 2, 199, under, anchor="middle", colour=GREY)
    for x, to in ((125, 168), (275, 283), (390, 398), (464, 558)):
        d.line([(x, 180), (to, 180)], arrow=True)
    d.box(440, 62, 84, 40)
    d.text(482, 78, "average", anchor="middle")
    d.text(482, 94, "pool_to, grid", anchor="middle", colour=GREY, size=11)
    d.box(546, 62, 92, 40)
    d.text(592, 78, "synapse,", anchor="middle")
    d.text(592, 94, "readout", anchor="middle")
    d.box(660, 62, 46, 40, "#fff6ee", ORANGE)
    d.text(683, 87, "loss", anchor="middle", colour=ORANGE)
    d.text(440, 50, "local head")
    d.line([(490, 180), (490, 104)], arrow=True)
    d.line([(524, 77), (544, 77)], arrow=True)
    d.line([(638, 77), (658, 77)], arrow=True)
    d.line([(394, 158), (394, 82), (438, 82)], colour=GREY, dashes="4 3", arrow=True)
    d.text(388, 76, 'or here: cut = "before_pooling"', anchor="end", colour=GREY, size=12)
    d.line([(658, 94), (640, 94)], colour=ORANGE, width=2, arrow=True)
    d.line([(544, 94), (526, 94)], colour=ORANGE, width=2, arrow=True)
    d.line([(474, 104), (474, 196), (466, 196)], colour=ORANGE, width=2, arrow=True)
    for x, to in ((398, 392), (283, 277)):
        d.line([(x, 200), (to, 200)], colour=ORANGE, width=2, arrow=True)
    d.line([(168, 200), (148, 200)], colour=ORANGE, width=2)
    d.line([(142, 192), (154, 208)], colour=ORANGE, width=2.4)
    d.line([(142, 208), (154, 192)], colour=ORANGE, width=2.4)
    d.text(20, 250, "The gradient of the local loss (orange) reaches every layer of its block and ends at the block's input.", size=12)
    d.text(20, 268, "Spikes go on to the next block, which sends no gradient back. The output layer is the head of the last block.", size=12, colour=GREY)
    return d


def membrane(reset, steps=24, leak=0.9, current=0.32):
    u, v, spikes = [], 0.0, []
    for t in range(steps):
        v = leak * v + (current if 2 <= t < 20 else 0)
        u.append(v)
        fired = v >= 1
        spikes.append(fired)
        if fired:
            v = {"soft_decayed": v - 1, "hard": 0.0, "none": v}[reset]
    return u, spikes


def resets():
    d = Drawing("Membranes under a constant current with reset soft_decayed, hard and none", 720, 290)
    for k, (reset, words) in enumerate((("soft_decayed", "soft_decayed: threshold taken off"), ("hard", "hard: to v_reset (0)"), ("none", "none"))):
        left, top, width, height = 25 + k * 232, 40, 205, 190
        u, spikes = membrane(reset)
        scale = height / 3.2
        place = lambda t, value: (left + 6 + t * (width - 12) / 23, top + height - value * scale)
        d.text(left, top - 14, words)
        d.line([(left, top), (left, top + height), (left + width, top + height)], colour=GREY)
        d.line([(left, top + height - scale), (left + width, top + height - scale)], colour=ORANGE, dashes="4 3")
        d.line([place(t, value) for t, value in enumerate(u)], colour=BLUE, width=1.8)
        for t, fired in enumerate(spikes):
            if fired:
                x, _ = place(t, 0)
                d.line([(x, top + height + 8), (x, top + height + 22)], width=2)
        d.text(left + width, top + height - scale - 5, "threshold", anchor="end", colour=ORANGE, size=11)
    d.text(25, 278, "u[t] = 0.9 v[t-1] + I[t], before reset; the current 0.32 flows from step 3 to step 20. Below: spikes.", size=12, colour=GREY)
    return d


def events_to_frames():
    d = Drawing("From events in time to frames", 720, 250)
    draw = random.Random(3)
    left, top, width, height, T = 60, 36, 290, 130, 5
    d.text(left, 22, "events: (t, x, y, polarity)")
    d.line([(left, top), (left, top + height), (left + width, top + height)], colour=GREY)
    counts = [[[0] * 8 for _ in range(8)] for _ in range(T)]
    for _ in range(150):
        t = draw.random()
        centre = 1 + 5 * t
        x, y = centre + draw.gauss(0, 0.7), 3.5 + 2 * math.sin(5 * t) + draw.gauss(0, 0.7)
        on = draw.random() < 0.6
        d.dot(left + 4 + t * (width - 8), top + height - 6 - y / 8 * (height - 12), 1.8, BLUE if on else ORANGE)
        counts[min(T - 1, int(t * T))][min(7, max(0, int(y)))][min(7, max(0, int(x)))] += 1
    for k in range(1, T):
        d.line([(left + k * width / T, top), (left + k * width / T, top + height)], colour=GREY, dashes="3 3")
    d.text(left + width / 2, top + height + 20, "time, cut into T = 5 frames", anchor="middle", colour=GREY, size=12)
    d.text(left - 10, top + 60, "y", anchor="end", colour=GREY, size=12)
    d.line([(370, 100), (405, 100)], arrow=True, width=2)
    d.text(425, 22, "frames [T, polarity, H, W]")
    for k in range(T):
        for y in range(8):
            for x in range(8):
                shade = 255 - min(220, 70 * counts[k][y][x])
                d.box(425 + k * 57 + x * 6.2, 70 + (7 - y) * 6.2, 6.2, 6.2, f"#{shade:02x}{shade:02x}ff" if shade < 255 else "#ffffff", "#dddddd", 0)
        d.text(425 + k * 57 + 25, 138, f"{k + 1}", anchor="middle", colour=GREY, size=12)
    d.text(60, 218, "[events]: by = \"time\" or \"count\", dt_us, accumulate = \"or\", \"count\", \"clip\"; crop, size, downsample, polarity", size=12, colour=GREY)
    return d


def rules_over_time():
    """What each rule keeps at step t, and where the gradient of the loss at step 6 goes."""
    d = Drawing("What learning rules keep over time", 780, 330)
    rows = [("bptt", "everything of every step", "chain", 8), ("truncated, window 3", "the steps of a window", "chain", 3), ("sltt", "the step itself", "none", 1),
            ("ottt", "the step, and a trace of each input", "trace", 1), ("e_prop, rtrl", "the step, and a trace of each synapse", "trace", 1),
            ("tssl_bp", "everything of every step", "chain", 8)]
    left, wide = 190, 38
    for t in range(8):
        d.text(left + t * wide + 12, 24, f"{t + 1}", anchor="middle", colour=GREY, size=12)
    d.text(left - 14, 24, "step", anchor="end", colour=GREY, size=12)
    for k, (name, kept, how, window) in enumerate(rows):
        y = 46 + k * 44
        d.text(left - 14, y + 16, name, anchor="end")
        for t in range(8):
            alive = {"bptt": True, "tssl_bp": True}.get(name, t >= 6 if window == 3 else t == 7)
            d.box(left + t * wide, y, 25, 24, "#cfe0f1" if alive else "#ffffff", BLUE if alive else "#cccccc")
        if how == "trace":
            d.line([(left + 12, y + 31), (left + 7 * wide + 10, y + 31)], colour=GREEN, width=2, arrow=True)
        if how == "chain":
            first = 6 if window == 3 else 0
            d.line([(left + 7 * wide + 12, y + 31), (left + first * wide + 14, y + 31)], colour=ORANGE, width=2, arrow=True)
        d.text(left + 8 * wide + 12, y + 16, kept, size=12)
    d.line([(60, 318), (30, 318)], colour=ORANGE, width=2, arrow=True)
    d.text(68, 322, "gradient runs back over steps", size=12)
    d.line([(290, 318), (320, 318)], colour=GREEN, width=2, arrow=True)
    d.text(328, 322, "a trace runs forward", size=12)
    d.box(500, 309, 16, 16, "#cfe0f1", BLUE)
    d.text(524, 322, "kept when step 8 learns", size=12)
    return d


def tssl_bp():
    """Membrane and PSP of a spike, and of the same spike a step earlier."""
    d = Drawing("A spike that moves: membrane, spike and PSP", 720, 300)
    left, width = 150, 520
    at = lambda t: left + t * width / 20
    for k, (label, y, scale) in enumerate((("membrane u", 100, 52), ("spike s", 160, 26), ("PSP a", 250, 150))):
        d.text(left - 16, y - 12, label, anchor="end")
        d.line([(left, y), (left + width, y)], colour=GREY)
    for current, colour, dashes in ((0.165, BLUE, None), (0.185, ORANGE, "5 3")):
        m, a, us, ss, psp = 0.0, 0.0, [], [], []
        for t in range(200):  # ten small steps each, to draw a curve
            u = m + (current * 10 - m) / 50 * 0.75
            s = u > 1 and not any(ss)
            m = 0.0 if s else min(u, 2)
            if any(ss):
                m = m * 0.9 if m > 0.25 else m
            a += -a / 30 + (1 / 3 if s else 0)
            us.append(1.0 if s else u)
            ss.append(s)
            psp.append(a)
        fired = ss.index(True)
        d.line([(at(t / 10), 100 - 52 * us[t]) for t in range(fired + 1)] + [(at(fired / 10), 100)], colour=colour, width=2, dashes=dashes)
        d.line([(at(fired / 10), 160), (at(fired / 10), 134)], colour=colour, width=2.4, dashes=dashes)
        d.line([(at(t / 10), 250 - 150 * psp[t]) for t in range(200)], colour=colour, width=2, dashes=dashes)
    d.line([(left, 48), (left + width, 48)], colour=GREY, dashes="3 3", width=1)
    d.text(left + width, 42, "threshold", anchor="end", colour=GREY, size=12)
    d.text(25, 288, "A stronger input (dashed) crosses the threshold earlier; the PSP that the next layer reads moves with the spike.", size=12, colour=GREY)
    return d


PICTURES = {"layer": layer, "windows-and-blocks": windows_and_blocks, "local-head": local_head, "resets": resets, "events-to-frames": events_to_frames,
            "rules-over-time": rules_over_time, "tssl-bp": tssl_bp}


def main():
    check = "--check" in sys.argv[1:]
    stale = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        file, svg = FOLDER / f"{name}.svg", draw().svg()
        if check and (not file.exists() or file.read_text() != svg):
            stale.append(name)
        if not check:
            file.write_text(svg)
    extra = sorted(p.stem for p in FOLDER.glob("*.svg") if p.stem not in PICTURES)
    if stale or extra:
        print(f"run tools/pictures.py: out of date: {', '.join(stale) or 'none'}; drawn by nobody: {', '.join(extra) or 'none'}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
