package openapi

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Members are the members of a JSON object, in the order in which they were added.
type Members[V any] struct {
	names  []string
	values map[string]V
}

// Set adds a member, or replaces it in its place.
func (m *Members[V]) Set(name string, value V) {
	if m.values == nil {
		m.values = map[string]V{}
	}
	if _, ok := m.values[name]; !ok {
		m.names = append(m.names, name)
	}
	m.values[name] = value
}

// Get returns a member.
func (m *Members[V]) Get(name string) (V, bool) {
	v, ok := m.values[name]
	return v, ok
}

// Delete removes the members whose value is one that f wants gone.
func (m *Members[V]) Delete(f func(V) bool) {
	m.names = slices.DeleteFunc(m.names, func(name string) bool { return f(m.values[name]) })
}

// Names lists the names.
func (m *Members[V]) Names() []string { return slices.Clone(m.names) }

// IsZero reports whether there is none: then encoding/json leaves the object out.
func (m *Members[V]) IsZero() bool { return len(m.names) == 0 }

// MarshalJSON writes the members in their order.
func (m *Members[V]) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range m.names {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := encode(name)
		if err != nil {
			return nil, err
		}
		value, err := encode(m.values[name])
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode writes a value without escapes that only HTML needs.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// Document is an OpenAPI document.
type Document struct {
	OpenAPI    string                `json:"openapi"`
	Info       Info                  `json:"info"`
	Servers    []Server              `json:"servers"`
	Tags       []Tag                 `json:"tags"`
	Paths      Members[*Path]        `json:"paths"`
	Components Components            `json:"components"`
	Security   []map[string][]string `json:"security"`
}

// Info is about the document.
type Info struct {
	Title       string  `json:"title"`
	Version     string  `json:"version"`
	Summary     string  `json:"summary"`
	Description string  `json:"description"`
	Contact     Contact `json:"contact"`
	License     License `json:"license"`
}

// Contact is where to ask.
type Contact struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// License names a license by its SPDX identifier.
type License struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
}

// Server is where the API is.
type Server struct {
	URL         string `json:"url"`
	Description string `json:"description"`
}

// Tag is a group of operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Path has the operations of a path.
type Path struct {
	Get    *Operation `json:"get,omitempty"`
	Post   *Operation `json:"post,omitempty"`
	Patch  *Operation `json:"patch,omitempty"`
	Delete *Operation `json:"delete,omitempty"`
}

// Operation is one call.
type Operation struct {
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	ID          string                `json:"operationId"`
	Parameters  []any                 `json:"parameters,omitempty"` // *Parameter or Ref
	RequestBody *Body                 `json:"requestBody,omitempty"`
	Responses   Members[any]          `json:"responses"` // *Response or Ref
	Security    []map[string][]string `json:"security"`
	Samples     []Sample              `json:"x-codeSamples,omitempty"`
}

// Sample is an example in another language.
type Sample struct {
	Language string `json:"lang"`
	Source   string `json:"source"`
}

// Ref refers to a component.
type Ref struct {
	Ref string `json:"$ref"`
}

// Parameter is one of the path, the query or the header.
type Parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Schema      *Schema `json:"schema"`
	Example     any     `json:"example,omitempty"`
	// Explode false means that items of a list are separated by commas.
	Explode *bool `json:"explode,omitempty"`
}

// Body is that of a request.
type Body struct {
	Description string         `json:"description,omitempty"`
	Required    bool           `json:"required,omitempty"`
	Content     Members[Media] `json:"content"`
}

// Media is a body in one type.
type Media struct {
	Schema  *Schema `json:"schema"`
	Example any     `json:"example,omitempty"`
}

// Response is an answer.
type Response struct {
	Description string         `json:"description"`
	Headers     Members[any]   `json:"headers,omitzero"` // *Header or Ref
	Content     Members[Media] `json:"content,omitzero"`
}

// Header is a header of an answer.
type Header struct {
	Description string  `json:"description"`
	Schema      *Schema `json:"schema"`
}

// Schema is a JSON schema.
type Schema struct {
	Ref              string           `json:"$ref,omitempty"`
	Type             any              `json:"type,omitempty"` // a string, or several
	Format           string           `json:"format,omitempty"`
	Description      string           `json:"description,omitempty"`
	Enum             []any            `json:"enum,omitempty"`
	Pattern          string           `json:"pattern,omitempty"`
	MinLength        *uint64          `json:"minLength,omitempty"`
	MaxLength        *uint64          `json:"maxLength,omitempty"`
	Minimum          *int64           `json:"minimum,omitempty"`
	Maximum          *int64           `json:"maximum,omitempty"`
	ExclusiveMinimum *int64           `json:"exclusiveMinimum,omitempty"`
	MinItems         *uint64          `json:"minItems,omitempty"`
	MaxItems         *uint64          `json:"maxItems,omitempty"`
	UniqueItems      bool             `json:"uniqueItems,omitempty"`
	Items            *Schema          `json:"items,omitempty"`
	Properties       Members[*Schema] `json:"properties,omitzero"`
	Additional       any              `json:"additionalProperties,omitempty"` // a Schema or true
	Required         []string         `json:"required,omitempty"`
	ReadOnly         bool             `json:"readOnly,omitempty"`
	AllOf            []*Schema        `json:"allOf,omitempty"`
	Example          any              `json:"example,omitempty"`
}

// Components are what others refer to.
type Components struct {
	Schemas         Members[*Schema]        `json:"schemas"`
	Responses       Members[*Response]      `json:"responses"`
	Parameters      Members[*Parameter]     `json:"parameters"`
	Headers         Members[*Header]        `json:"headers"`
	SecuritySchemes Members[SecurityScheme] `json:"securitySchemes"`
}

// SecurityScheme is how a caller proves who it is.
type SecurityScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme"`
	Description string `json:"description"`
}
