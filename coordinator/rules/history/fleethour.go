package history

// FleetHour is what became of the turns of all sites in an hour. A site counts with its turns of
// the hour if one of them was checked.
type FleetHour struct {
	Hour  Hour
	Tally Tally
}
