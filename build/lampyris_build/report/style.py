"""How a report looks: the house style of model cards, and colours for charts; light, dark and on paper."""

from typing import Final

_PAGE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --ink: #222; --soft: #636363;
  --page: #fff; --c0: #1f6fb4; --c1: #c04a1a; --c2: #3a7f36; --c3: #8a8a8a;
  --heat: 64 132 196; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e4; --soft: #a8a8a8; --page: #161616;
  --c0: #6cb2ee; --c1: #f0925f; --c2: #84cc7e; --c3: #909090;
  --heat: 38 98 158; } }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink);
  background: var(--page); }
h1 { margin: 0; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.15rem; border-bottom: 1px solid #8886; }
.verdict { font-size: 1.1rem; margin: .5rem 0 1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem;
  margin: 0; }
.tiles div { padding: .6rem .8rem; background: #8881; border-radius: .4rem; }
.tiles dt, .before, caption, figcaption { font-size: .85rem; color: var(--soft); }
.tiles dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.tiles dd.before { font-size: .85rem; }
.wide { overflow-x: auto; margin: .75rem 0; }
.beside { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
.beside > * { max-width: 100%; }
table { min-width: 14rem; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { padding: .25rem 1.2rem .25rem 0; text-align: left; vertical-align: top; font-weight: normal;
  max-width: 24rem; overflow-wrap: break-word; }
thead th { color: var(--soft); }
.n { text-align: right; white-space: nowrap; }
tbody tr { border-top: 1px solid #8883; }
pre { padding: .75rem; overflow-x: auto; background: #8882; font-size: .85rem; }
summary { cursor: pointer; }
blockquote { margin: .75rem 0; padding: .75rem 1rem; background: #8881; white-space: pre-wrap;
  overflow-wrap: anywhere; font: .85rem/1.5 ui-monospace, monospace; }
mark { background: #f0925f66; color: inherit; border-radius: .15rem; }
@media print { body { max-width: none; margin: 0; } .wide { overflow: visible; } h2 { break-after: avoid; }
  figure, tr, .tiles div { break-inside: avoid; } }
"""

_CHARTS: Final = """
figure { margin: 0; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 12px; fill: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr));
  gap: 1rem 1.5rem; }
.axis, .grid, .line, .steps, .guide, .frame, .dots { fill: none; stroke-width: 1; }
.axis { stroke: var(--soft); }
.grid { stroke: #8883; }
.line { stroke-width: 2; stroke-linejoin: round; }
.guide { stroke-dasharray: 4 4; }
.dots { stroke-width: 6; stroke-linecap: round; stroke-opacity: .7; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); }
.bars { stroke: none; fill-opacity: .55; }
.bars.c0 { fill: var(--c0); } .bars.c1 { fill: var(--c1); }
.spark { width: 9rem; }
.map { width: 34rem; max-width: 100%; }
.frame { stroke: #8886; stroke-width: .1; }
.confusion td, .confusion thead th { text-align: center; padding: .25rem .4rem; min-width: 1.9rem; }
.confusion tbody th { text-align: right; padding-right: .6rem; }
.confusion thead td { font-size: .8rem; color: var(--soft); white-space: nowrap; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: 1rem; }
.pictures { display: flex; flex-wrap: wrap; gap: .4rem; }
.gallery img, .pictures img { width: 6rem; height: auto; image-rendering: pixelated; border-radius: .25rem; }
.right, .wrong { font-weight: 600; white-space: nowrap; }
.wrong { color: var(--c1); }
"""

# Shades of a share, from a tenth to all.
_SHADES: Final = "".join(
    f".s{tenth} {{ background: rgb(var(--heat) / {10 + 7 * tenth}%); }}\n"
    f".f{tenth} {{ fill: var(--c0); fill-opacity: {25 + 7 * tenth}%; }}\n"
    for tenth in range(1, 11)
)

STYLE: Final = _PAGE + _CHARTS + _SHADES
