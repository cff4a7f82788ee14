package history

import "strings"

// A place is where a check was made: in a region, by a checker. What is kept for the day that is not
// folded yet has the names of places where a sheet has those of regions; what is kept for longer has
// the regions alone. So a place without a checker is the name of its region.

// placeMark separates the region from the checker; no name has it.
const placeMark = "\x1f"

// Place returns the name of the place of a checker.
func Place(region, checker string) string {
	if checker == "" || strings.Contains(region, placeMark) || strings.Contains(checker, placeMark) {
		return region
	}
	return region + placeMark + checker
}

// SplitPlace returns the region and the checker of a place; the checker is empty when it is not known.
func SplitPlace(place string) (region, checker string) {
	region, checker, _ = strings.Cut(place, placeMark)
	return region, checker
}

// Region returns the region of a place.
func Region(place string) string {
	region, _ := SplitPlace(place)
	return region
}

// Regional returns sheets that have the regions of their places only. The strips are shared.
func Regional(sheets []*Sheet) []*Sheet {
	out := make([]*Sheet, len(sheets))
	for i, s := range sheets {
		out[i] = &Sheet{Regions: regionsOf(s.Regions), Strips: s.Strips}
	}
	return out
}

func regionsOf(places []string) []string {
	out := make([]string, len(places))
	for i, place := range places {
		out[i] = Region(place)
	}
	return out
}
