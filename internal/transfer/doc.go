// Package transfer decides what of another monitor's configuration Jetmon can do: it reads
// the backup of Uptime Kuma (JSON) and the configuration of Gatus (YAML), makes a site of each
// monitor of a web page, and says of each what was left out and why.
//
// A monitor that Jetmon would judge the other way round, as one that wants the status 401,
// becomes no site. One that Jetmon judges less strictly does, with a remark.
//
// It reads whole files, of at most MaxBytes: such a file lists what people have put in by
// hand. It asks no coordinator.
package transfer
