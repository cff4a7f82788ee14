package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// apart starts each part in a separate process: this program again, which follows the order
// on its input and ends with it.
type apart struct{ program string }

// order defines a part: a veriflier, or else the sites.
type order struct {
	Voter *identity
	// Delay is the delay of the sites' answers.
	Delay time.Duration
}

// place holds the addresses of a part.
type place struct {
	Address       string
	Sites, Anchor string
}

// part is a handle on a part's process.
type part struct {
	place
	cmd *exec.Cmd
	in  io.WriteCloser
	say *json.Encoder
	ear *json.Decoder
}

func (a apart) part(o order) (*part, error) {
	p := &part{cmd: exec.Command(a.program, "-part")}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.in, p.say, p.ear = in, json.NewEncoder(in), json.NewDecoder(out)
	if err := errors.Join(p.say.Encode(o), p.ear.Decode(&p.place)); err != nil {
		return nil, errors.Join(fmt.Errorf("start a part: %w", err), p.Close())
	}
	return p, nil
}

func (a apart) web(delay time.Duration) (web, error) { return a.part(order{Delay: delay}) }
func (a apart) voter(i identity) (voter, error)      { return a.part(order{Voter: &i}) }

func (p *part) address() string { return p.Address }
func (p *part) sites() string   { return p.Sites }
func (p *part) anchor() string  { return p.Anchor }

func (p *part) report() (r report, err error) {
	return r, errors.Join(p.say.Encode("report"), p.ear.Decode(&r))
}

// stop stops the process with SIGSTOP: its connections stay, and nothing answers.
func (p *part) stop() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Close ends the process.
func (p *part) Close() error {
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// serve runs a part in this process.
func serve(in io.Reader, out io.Writer) error {
	ear, say := json.NewDecoder(in), json.NewEncoder(out)
	var o order
	if err := ear.Decode(&o); err != nil {
		return err
	}
	var at place
	var self io.Closer
	tell := func() (report, error) { return report{}, nil }
	if o.Voter != nil {
		w, err := newWitness(*o.Voter)
		if err != nil {
			return err
		}
		at.Address, self, tell = w.address(), w, w.report
	} else {
		p, err := newPages(o.Delay)
		if err != nil {
			return err
		}
		at.Sites, at.Anchor, self = p.sites(), p.anchor(), p
	}
	err := say.Encode(at)
	watch := watchHeap()
	for question := ""; err == nil; {
		if err = ear.Decode(&question); err != nil {
			break
		}
		var r report
		if r, err = tell(); err == nil {
			r.Heap = watch.end()
			runtime.GC()
			r.After = heap()
			err = say.Encode(r)
			watch = watchHeap()
		}
	}
	watch.end()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, self.Close())
}
