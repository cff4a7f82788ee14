package gateway

var linked string // which the linker fills

var relinked string

func relink() { relinked = linked }
