"""Plots as SVG, by the standard library alone: axes with three ticks, named points, curves with their names at the end."""
import math

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")
BLANK, GREY = "#999", "#666"


def tick(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def free_places(points):
    """For (name, x, y) the height of each label beside its point, moved up or down until it covers no other."""
    taken, heights = [], {}
    for name, x, y in sorted(points, key=lambda point: (point[2], point[1])):
        width = 6.5 * len(name) + 10
        for step in range(60):
            height = y + 4 + (step + 1) // 2 * (6 if step % 2 else -6)
            if all(abs(height - h) >= 11 or x + width < a or b < x for a, b, h in taken):
                break
        taken.append((x, x + width, height))
        heights[name] = height
    return heights


class Axis:
    """Values from the least to the greatest on a length of pixels, evenly or by their logarithm."""

    def __init__(self, values, logarithmic, text=tick):
        self.scale = (lambda value: math.log10(max(value, 1e-9))) if logarithmic else float
        self.value = (lambda place: 10 ** place) if logarithmic else float
        places = [self.scale(value) for value in values]
        self.low, self.length, self.text = min(places), max(max(places) - min(places), 1e-9), text

    def share(self, value):
        """0 at the least, 1 at the greatest."""
        return (self.scale(value) - self.low) / self.length

    def ticks(self):
        """(share, text) of both ends and the middle."""
        return [(share, self.text(self.value(self.low + share * self.length))) for share in (0, 0.5, 1)]


class Panel:
    """A frame with axes; `right` pixels are left for labels beside the points."""
    top, width, height, margin = 20, 420, 330, 15

    def __init__(self, left, label, x_axis, y_axis, right=110):
        self.left, self.x_axis, self.y_axis = left, x_axis, y_axis
        self.across, self.up = self.width - right, self.height - 2 * self.margin
        self.parts = [f'<rect x="{left}" y="{self.top}" width="{self.width}" height="{self.height}" fill="none" stroke="{BLANK}"/>',
                      f'<text x="{left + self.width / 2}" y="{self.top + self.height + 30}" text-anchor="middle">{label}</text>']
        for (share, across), (_, up) in zip(x_axis.ticks(), y_axis.ticks()):
            self.parts += [f'<text x="{left + self.margin + share * self.across}" y="{self.top + self.height + 14}" text-anchor="middle" '
                           f'fill="{GREY}">{across}</text>',
                           f'<text x="{left - 4}" y="{self.top + self.height - self.margin - share * self.up}" text-anchor="end" '
                           f'fill="{GREY}">{up}</text>']

    def place(self, x, y):
        """Pixels of a point."""
        return (self.left + self.margin + self.x_axis.share(x) * self.across,
                self.top + self.height - self.margin - self.y_axis.share(y) * self.up)

    def name(self, name, x, y, at):
        """A label at height `at` beside the pixels of its point, and a line between them."""
        self.parts.append(f'<path d="M{x:.1f} {y:.1f}L{x + 7:.1f} {at - 4:.1f}" stroke="{BLANK}" stroke-width="0.6"/>'
                          f'<text x="{x + 8:.1f}" y="{at:.1f}">{name}</text>')

    def dot(self, x, y, colour=COLOURS[0]):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')


def scatter(panel, points):
    """Named points (name, x, y)."""
    placed = [(name, *panel.place(x, y)) for name, x, y in points]
    heights = free_places(placed)
    for name, x, y in placed:
        panel.dot(x, y)
        panel.name(name, x, y, heights[name])


def curves(panel, lines):
    """Lines {name: [(x, y), ...]}, x ascending."""
    ends = []
    for (name, points), colour in zip(lines.items(), COLOURS):
        placed = [panel.place(x, y) for x, y in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        panel.parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        for x, y in placed:
            panel.dot(x, y, colour)
        ends.append((name, *placed[-1]))
    heights = free_places(ends)
    for name, x, y in ends:
        panel.name(name, x, y, heights[name])


def document(title, panels):
    """The text of a file with two panels, their lefts 45 and 525."""
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="960" height="390" font-family="sans-serif" font-size="11">',
             '<rect width="960" height="390" fill="white"/>', f'<text x="10" y="14">{title}</text>']
    return "\n".join(parts + [part for panel in panels for part in panel.parts] + ["</svg>"]) + "\n"
