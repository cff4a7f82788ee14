package charset

import (
	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// Decoder turns the bytes of a page into UTF-8, piece by piece. Like browsers, it replaces
// what is not valid in the encoding.
type Decoder struct {
	codec transform.Transformer
	// mark is how many bytes of a byte order mark are still to be passed over.
	mark int
	// rest is the beginning of a character that the last piece ended in.
	rest []byte
	out  []byte
}

// Decoder returns a decoder for a page in this encoding.
func (e Encoding) Decoder() *Decoder {
	codec := encoding.Replacement.NewDecoder()
	if e.codec != nil {
		codec = e.codec.NewDecoder()
	}
	return &Decoder{codec: codec, mark: e.mark, out: make([]byte, 4<<10)}
}

// Write decodes the next piece of the page and passes its text to out, in pieces that are
// only valid until out returns.
func (d *Decoder) Write(piece []byte, out func(text []byte)) {
	skip := min(d.mark, len(piece))
	d.mark -= skip
	d.decode(piece[skip:], false, out)
}

// End passes the text of a character that the page ended in to out.
func (d *Decoder) End(out func(text []byte)) { d.decode(nil, true, out) }

func (d *Decoder) decode(piece []byte, last bool, out func([]byte)) {
	in := piece
	if len(d.rest) > 0 {
		d.rest = append(d.rest, piece...)
		in = d.rest
	}
	for {
		nOut, nIn, err := d.codec.Transform(d.out, in, last)
		if nOut > 0 {
			out(d.out[:nOut])
		}
		in = in[nIn:]
		if err != transform.ErrShortDst || nOut == 0 && nIn == 0 {
			break
		}
	}
	d.rest = append(d.rest[:0], in...)
}
