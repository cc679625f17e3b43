package bridge

import (
	"sort"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// description maps each token to its sorted Pulumi property names.
type description struct {
	Resources map[string][]string `json:"resources"`
	Functions map[string][]string `json:"functions"`
	Config    []string            `json:"config"`
}

func describe(p tfbridge.ProviderInfo) description {
	d := description{
		Resources: map[string][]string{},
		Functions: map[string][]string{},
		Config:    properties(p.P.Schema(), p.Config),
	}
	for name, resource := range p.Resources {
		d.Resources[string(resource.Tok)] = properties(p.P.ResourcesMap().Get(name).Schema(), resource.Fields)
	}
	for name, function := range p.DataSources {
		d.Functions[string(function.Tok)] = properties(p.P.DataSourcesMap().Get(name).Schema(), function.Fields)
	}
	return d
}

func properties(schema shim.SchemaMap, fields map[string]*info.Schema) []string {
	names := []string{}
	schema.Range(func(name string, _ shim.Schema) bool {
		names = append(names, tfbridge.TerraformToPulumiNameV2(name, schema, fields))
		return true
	})
	sort.Strings(names)
	return names
}
