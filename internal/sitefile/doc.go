// Package sitefile decides how sites are written into files, and read from them: as CSV, for
// spreadsheets, and as NDJSON, one site a line in the API's JSON. The gateway's import and
// export and those of the command line share it, so that what one writes the other reads.
//
// A file holds what an import needs: url, blog_id, check_interval, paused, tags and the
// settings. Writing what was read gives the same bytes again.
//
// It works row by row in bounded memory and judges only the form: whether a site may be added
// is for the coordinator to say. It knows no command line, no HTTP and no gRPC.
package sitefile
