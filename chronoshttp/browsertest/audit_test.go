package browsertest

import (
	"image"
	"image/color"
	"maps"
	"slices"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// small draws a picture in the 256 colours that it has most of, which makes a
// smaller file.
func small(img image.Image) image.Image {
	count := map[color.RGBA]int{}
	box := img.Bounds()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			count[color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return count[b] - count[a] })
	palette := color.Palette{}
	for _, c := range all[:min(256, len(all))] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	out := image.NewPaletted(box, palette)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			c := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
			i, ok := nearest[c]
			if !ok {
				i = uint8(palette.Index(c))
				nearest[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	return out
}

// widest names what is wider than the screen.
const widest = `[...document.querySelectorAll('main *, header *')].filter((e) => e.getBoundingClientRect().right > 381 && !e.closest('.scroll, nav'))
	.slice(0, 5).map((e) => e.tagName + '.' + (e.getAttribute('class') || '') + ' ' + (e.innerText || '').slice(0, 40)).join('; ')`

// audit looks at what is shown for what a screen reader or weak eyes would stumble
// over, and lists it.
const audit = `(() => {
	const wrong = [];
	const seen = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden';
	const all = (q) => [...document.querySelectorAll(q)].filter(seen);
	const name = (e) => (e.getAttribute('aria-label') || e.innerText || e.title || '').trim();
	const what = (e) => e.tagName.toLowerCase() + ' ' + name(e).slice(0, 40);

	for (const e of all('button, a')) if (!name(e) && !e.closest('svg')) wrong.push('no name: ' + e.outerHTML.slice(0, 120));
	for (const e of all('input, select, textarea')) if (!e.labels?.length && !e.getAttribute('aria-label')) wrong.push('no label: ' + e.outerHTML.slice(0, 120));
	for (const q of ['header', 'nav', 'main']) if (all(q).length < 1) wrong.push('no ' + q);
	if (all('h1').length !== 1) wrong.push(all('h1').length + ' h1');
	let level = 0;
	for (const e of all('h1, h2, h3, h4')) {
		const n = Number(e.tagName[1]);
		if (n > level + 1) wrong.push('a heading leaves out a level: ' + what(e));
		level = n;
	}
	for (const e of all('table')) {
		if (!e.querySelector('thead th')) wrong.push('a table without headers');
		if (!e.caption?.innerText && !e.caption?.textContent) wrong.push('a table without a caption');
	}
	for (const e of all('main svg')) if (e.getAttribute('aria-hidden') !== 'true' && !e.getAttribute('aria-label')) wrong.push('a chart without a text');
	const ids = all('[id]').map((e) => e.id);
	for (const id of new Set(ids)) if (ids.filter((i) => i === id).length > 1) wrong.push('two have the id ' + id);
	if (!document.documentElement.lang) wrong.push('no language');

	const rgb = (text) => { const m = text.match(/[\d.]+/g).map(Number); return { r: m[0], g: m[1], b: m[2], a: m[3] ?? 1 }; };
	const luminance = (c) => [c.r, c.g, c.b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
	const under = (e) => {
		for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.a === 1) return c; }
		return { r: 255, g: 255, b: 255 };
	};
	const bad = new Set();
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = texts.nextNode(); n; n = texts.nextNode()) {
		const e = n.parentElement;
		if (!n.data.trim() || !seen(e) || e.closest('.hidden, .skip, svg, script, noscript, option')) continue;
		const a = luminance(rgb(getComputedStyle(e).color)); const b = luminance(under(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) bad.add('contrast ' + ratio.toFixed(2) + ': ' + e.tagName.toLowerCase() + '.' + e.className + ' ' + n.data.trim().slice(0, 30));
	}
	return [...wrong, ...bad];
})()`

// looks lists what does not look right: what is cut off, has slipped beside its place,
// is broken in the middle of a word, or shows nothing.
const looks = `(() => {
	const wrong = [];
	const all = (q) => [...document.querySelectorAll(q)].filter((e) => e.getClientRects().length > 0);
	for (const e of all('#nav, .table:not(.scroll)')) if (e.scrollWidth > e.clientWidth + 1) wrong.push('cut off: ' + e.innerText.trim().slice(0, 40));
	for (const e of all('.card')) if (!e.querySelector('svg') && !e.innerText.replace(e.querySelector('h2')?.innerText || '', '').trim()) wrong.push('nothing in it: ' + (e.getAttribute('aria-label') || e.innerText));
	for (const e of all('tbody [data-label]')) if (getComputedStyle(e).display === 'grid' && e.childNodes.length > 1) wrong.push('beside its place: ' + e.innerText);
	for (const e of all('main .id')) if (e.innerText.length < 20 && e.getClientRects().length > 1) wrong.push('a broken word: ' + e.innerText);
	return wrong;
})()`
