package dispatch

import "testing"

func TestAnEntryIsUsedAgainWithoutATraceOfItsLastCheck(t *testing.T) {
	t.Parallel()
	var open openChecks
	first := open.add(&Check{Site: 1, Sequence: 1})
	serial := first.serial
	first.giveBack("a")
	first.host = new(host)
	open.remove(first)
	if open.of(1) != nil || first.serial != 0 {
		t.Errorf("after its end the check of site 1 is %+v", open.of(1))
	}
	if err := open.audit(); err != nil {
		t.Error(err)
	}
	second := open.add(&Check{Site: 1, Sequence: 1})
	if second != first || open.of(1) != second {
		t.Error("the free entry is not used")
	}
	if second.serial == serial || second.returned || second.lost != "" || second.host != nil {
		t.Errorf("the new check takes over from the old one, serial %d: %+v", serial, second)
	}
	if err := open.audit(); err != nil {
		t.Error(err)
	}
}
