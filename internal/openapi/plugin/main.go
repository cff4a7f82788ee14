// Command plugin is the plugin of buf that writes the OpenAPI document of the REST API.
package main

import (
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/Automattic/jetmon/internal/openapi"
)

func main() {
	protogen.Options{}.Run(func(p *protogen.Plugin) error {
		p.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
		text, err := openapi.Generate(p.Files)
		if err != nil {
			return err
		}
		_, err = p.NewGeneratedFile("jetmon.openapi.json", "").Write(text)
		return err
	})
}
