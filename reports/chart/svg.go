package chart

import (
	"fmt"
	"html"
	"image/color"
	"regexp"
	"strings"
)

// Colours that stand for the page's own: adapt replaces them.
var (
	ink   = color.NRGBA{0x01, 0x02, 0x03, 0xff}
	muted = color.NRGBA{0x04, 0x05, 0x06, 0xff}
	rule  = color.NRGBA{0x07, 0x08, 0x09, 0xff}
	hair  = color.NRGBA{0x0a, 0x0b, 0x0c, 0xff}
)

// hex writes a colour as vgsvg does, rounding included, so that it is found
// again in the SVG.
func hex(c color.Color) string {
	r, g, b, a := c.RGBA()
	scale := 255.0 / float64(a)
	return fmt.Sprintf("#%02X%02X%02X", int(float64(r)*scale), int(float64(g)*scale), int(float64(b)*scale))
}

var (
	// prologue is everything up to the first group.
	prologue = regexp.MustCompile(`(?s)^.*?<svg[^>]*>`)
	// family are the parts of a text's style that the page decides.
	family = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:normal;font-style:normal;?`)
)

// adapt makes the SVG of a canvas a part of the page: an accessible name and
// description, the page's fonts and the page's colours.
func (c *Chart) adapt(svg string) string {
	svg = family.ReplaceAllString(svg, "")
	pairs := []string{
		hex(ink), "currentColor",
		hex(muted), "var(--muted, #5b6470)",
		hex(rule), "var(--rule, #9aa3ad)",
		hex(hair), "var(--hair, #e3e7eb)",
	}
	for i := range Styles {
		pairs = append(pairs, Color(i), fmt.Sprintf("var(--series-%d, %s)", i, Color(i)))
	}
	svg = strings.NewReplacer(pairs...).Replace(svg)
	id := html.EscapeString(c.ID)
	head := fmt.Sprintf(`<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" `+
		`aria-labelledby="%s-title %s-desc"><title id="%s-title">%s</title><desc id="%s-desc">%s</desc>`,
		c.Width, c.Height, id, id, id, html.EscapeString(c.Title), id, html.EscapeString(c.Description))
	return head + prologue.ReplaceAllLiteralString(svg, "")
}
