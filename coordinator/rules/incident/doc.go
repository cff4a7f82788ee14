// Package incident finds sites that fail together, and what they share: the address of their
// server, its network, a name server, the issuer of their certificates, a tag. Operators are told
// of them as one incident, which is updated; each site's own outage stays what it is.
//
// A Watch takes the events of all sites, in any order across sites. A failure that is of no
// incident is a candidate for a while. When enough candidates share something, and some seconds
// have passed in which others may follow, an incident opens with what most of them share. From
// then on each failure that shares it is a member. It ends when all but a few members are up.
//
// Package incident decides and does no I/O. What it says twice is the same: a Watch that was made
// anew from what was written, and has seen the events since once more, goes on where the other
// was.
package incident
