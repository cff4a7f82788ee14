// Package trial serves the people who move from v1 while coordinators are on trial beside it.
//
// Compare reads what v1 and we have decided about the same sites, and the report is printed as
// a table for people, as JSON or as CSV. It goes through the sites once and keeps none of
// them, so that its memory does not grow with the table.
//
// HandOver takes ranges of buckets over from v1, and gives them back: from then on
// WordPress.com hears of these buckets from us, or from v1 again. It says before what
// WordPress.com will hear, and changes nothing until it is told to.
package trial
