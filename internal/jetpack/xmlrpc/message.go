package xmlrpc

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
)

// Header begins every document.
const Header = `<?xml version="1.0"?>`

// The fault codes of WordPress.
const (
	ParseError     = -32700
	InvalidRequest = -32600
	MethodUnknown  = -32601
	TransportError = -32300
	// ServicesDisabled answers methods that need a login when XML-RPC is off.
	ServicesDisabled = 405
)

// Call is a method call.
type Call struct {
	Method string
	Params []Value
}

// Fault is an answer that reports a failure. It is an error.
type Fault struct {
	Code int64
	Text string
}

// Error returns code and text.
func (f *Fault) Error() string { return fmt.Sprintf("XML-RPC fault %d: %s", f.Code, f.Text) }

// EncodeCall encodes a call.
func EncodeCall(method string, params ...Value) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(Header + "<methodCall><methodName>")
	if err := xml.EscapeText(&b, []byte(method)); err != nil {
		return nil, fmt.Errorf("write the method's name: %w", err)
	}
	b.WriteString("</methodName>")
	if len(params) > 0 {
		b.WriteString("<params>")
		for _, p := range params {
			b.WriteString("<param>")
			if err := writeValue(&b, p); err != nil {
				return nil, err
			}
			b.WriteString("</param>")
		}
		b.WriteString("</params>")
	}
	b.WriteString("</methodCall>")
	return b.Bytes(), nil
}

// EncodeAnswer encodes the answer to a call.
func EncodeAnswer(v Value) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(Header + "<methodResponse><params><param>")
	if err := writeValue(&b, v); err != nil {
		return nil, err
	}
	b.WriteString("</param></params></methodResponse>")
	return b.Bytes(), nil
}

// EncodeFault encodes a fault as the answer to a call.
func EncodeFault(f *Fault) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(Header + "<methodResponse><fault>")
	if err := writeValue(&b, map[string]Value{"faultCode": f.Code, "faultString": f.Text}); err != nil {
		return nil, err
	}
	b.WriteString("</fault></methodResponse>")
	return b.Bytes(), nil
}

// DecodeCall decodes a call.
func DecodeCall(data []byte) (Call, error) {
	r := newReader(data)
	c, err := r.call()
	if err != nil {
		return Call{}, fmt.Errorf("read an XML-RPC call: %w", err)
	}
	return c, nil
}

func (r *reader) call() (Call, error) {
	if err := r.enter("methodCall"); err != nil {
		return Call{}, err
	}
	if err := r.enter("methodName"); err != nil {
		return Call{}, err
	}
	name, err := r.text()
	if err != nil {
		return Call{}, err
	}
	c := Call{Method: name}
	element, err := r.child()
	switch {
	case errors.Is(err, errEnd):
		return c, nil
	case err != nil:
		return Call{}, err
	case element != "params":
		return Call{}, fmt.Errorf("<%s> stands where <params> should", element)
	}
	for {
		element, err := r.child()
		if errors.Is(err, errEnd) {
			return c, r.leave()
		}
		if err != nil {
			return Call{}, err
		}
		if element != "param" {
			return Call{}, fmt.Errorf("<%s> stands in <params>", element)
		}
		v, err := r.only()
		if err != nil {
			return Call{}, err
		}
		c.Params = append(c.Params, v)
	}
}

// only reads one <value> and the end of the element around it.
func (r *reader) only() (Value, error) {
	if err := r.enter("value"); err != nil {
		return nil, err
	}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	return v, r.leave()
}

// DecodeAnswer decodes the answer to a call. It returns a fault as an error of type
// *Fault; any other error means that the data is not XML-RPC.
func DecodeAnswer(data []byte) (Value, error) {
	r := newReader(data)
	v, err := r.answer()
	if _, ok := errors.AsType[*Fault](err); err != nil && !ok {
		return nil, fmt.Errorf("read an XML-RPC answer: %w", err)
	}
	return v, err
}

func (r *reader) answer() (Value, error) {
	if err := r.enter("methodResponse"); err != nil {
		return nil, err
	}
	element, err := r.child()
	switch {
	case errors.Is(err, errEnd):
		return nil, errors.New("the answer is empty")
	case err != nil:
		return nil, err
	case element == "fault":
		return nil, r.fault()
	case element != "params":
		return nil, fmt.Errorf("<%s> stands where <params> or <fault> should", element)
	}
	if err := r.enter("param"); err != nil {
		return nil, err
	}
	v, err := r.only()
	if err != nil {
		return nil, err
	}
	if err := r.leave(); err != nil {
		return nil, err
	}
	return v, r.leave()
}

func (r *reader) fault() error {
	v, err := r.only()
	if err != nil {
		return err
	}
	if err := r.leave(); err != nil {
		return err
	}
	members, _ := v.(map[string]Value)
	f := &Fault{}
	var okCode, okText bool
	switch code := members["faultCode"].(type) {
	case int64:
		f.Code, okCode = code, true
	case string:
		_, err := fmt.Sscan(code, &f.Code)
		okCode = err == nil
	}
	f.Text, okText = members["faultString"].(string)
	if !okCode || !okText {
		return errors.New("the fault has no faultCode and faultString")
	}
	return f
}

// Strings converts an array of strings; ok is false when v is something else.
func Strings(v Value) (texts []string, ok bool) {
	all, ok := v.([]Value)
	if !ok {
		return nil, false
	}
	for _, e := range all {
		s, ok := e.(string)
		if !ok {
			return nil, false
		}
		texts = append(texts, s)
	}
	return texts, true
}
