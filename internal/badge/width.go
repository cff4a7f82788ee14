package badge

// advances are the widths of the characters from space to tilde in Verdana, in thousandths of
// the size of the font.
var advances = [...]uint16{
	352, 394, 459, 818, 636, 1076, 727, 269, 454, 454, 636, 818, 364, 454, 364, 454, // space to /
	636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 454, 454, 818, 818, 818, 545, // 0 to ?
	1000, 684, 686, 698, 771, 632, 575, 775, 751, 421, 455, 693, 557, 843, 748, 787, // @ to O
	603, 787, 695, 684, 616, 732, 684, 989, 685, 615, 685, 454, 454, 454, 818, 636, // P to _
	636, 601, 623, 521, 623, 596, 352, 623, 633, 274, 344, 592, 274, 973, 633, 607, // ` to o
	623, 623, 427, 521, 394, 633, 592, 818, 592, 592, 525, 635, 454, 635, 818, // p to ~
}

// width returns the width of a plain text, in whole pixels.
func width(s string) int {
	sum := 0
	for i := range len(s) {
		sum += int(advances[s[i]-' '])
	}
	const thousandths = 1000
	return (sum*fontSize + thousandths - 1) / thousandths
}
