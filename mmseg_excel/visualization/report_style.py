"""How the report page looks: on paper white, at any width."""

STYLE = """
:root { color-scheme: light; font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; }
body { margin: 0; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #ddd; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; overflow-wrap: anywhere; }
small, figcaption { color: #555; font-weight: normal; font-size: .85rem; }
.notice { background: #fff4d6; border-left: 4px solid #e69f00; padding: .5rem .75rem; }
.tiles { display: flex; flex-wrap: wrap; gap: .5rem; }
.tiles div { flex: 1 1 8rem; background: #f3f5f7; border-radius: .4rem; padding: .6rem .8rem; }
.tiles b { display: block; font-size: 1.4rem; }
.tiles span { color: #555; font-size: .85rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); }
figure { margin: .5rem 0; }
figure svg { width: 100%; height: auto; max-width: 44rem; }
figcaption { text-align: center; }
.wide { overflow-x: auto; }
.wide svg { width: auto; max-width: none; }
.wide figcaption { text-align: left; }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .5rem; }
.strip figure { margin: 0; }
.strip img { width: 100%; image-rendering: auto; border: 1px solid #ddd; box-sizing: border-box; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap; }
th[scope=row], .facts td { text-align: left; }
.facts td { white-space: normal; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #888; }
thead th:first-child { text-align: left; }
tbody tr:nth-child(odd) { background: #f7f8f9; }
tbody tr:last-child th, tbody tr:last-child td { border-top: 1px solid #888; }
.facts tr:last-child th, .facts tr:last-child td { border-top: 0; }
td i, th i { display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem;
  border: 1px solid #999; vertical-align: -1px; }
pre { overflow-x: auto; background: #f3f5f7; padding: .75rem; font-size: .8rem; }
"""
