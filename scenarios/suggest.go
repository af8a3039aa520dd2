package scenarios

import (
	"strings"

	"github.com/agext/levenshtein"
)

// nearest returns the candidate that was probably meant by word, or "". It
// forgives about one mistake in three letters, capitals, and a word that was
// cut short ("nft"), and does not guess between words that have less in common.
func nearest(word string, candidates []string) string {
	const longest = 64 // no name is longer; a whole file in one word is no typing mistake
	word = strings.ToLower(word)
	if word == "" || len(word) > longest {
		return ""
	}
	best, bestDistance := "", 0
	for _, c := range candidates {
		lower := strings.ToLower(c)
		distance := levenshtein.Distance(word, lower, nil)
		allowed := (max(len(word), len(lower)) + 1) / 3
		if len(word) >= 3 && strings.HasPrefix(lower, word) {
			distance = min(distance, allowed)
		}
		if distance <= allowed && (best == "" || distance < bestDistance) {
			best, bestDistance = c, distance
		}
	}
	return best
}
