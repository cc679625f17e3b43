// Package bridge serves a Terraform provider as a Pulumi resource plugin.
//
// The plugin carries no package schema: the Python packages hold the real one. What must agree with them are the
// type tokens and the property names, and `--describe` prints both so that a test can compare them.
package bridge

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// The module that holds whatever belongs to no named module.
const mainModule = "index"

// The longest physical name, and what stands before its random suffix: the values of the published plugins.
const (
	nameLimit     = 255
	nameSeparator = "-"
)

// Plugin says how one Terraform provider becomes a Pulumi package.
type Plugin struct {
	// Name of the package: the first part of every token, and the prefix of every Terraform name.
	Name string
	// Provider is the upstream provider in the bridge's wrapping.
	Provider shim.Provider
	// Modules are the prefixes ("ldap_") that become modules ("ldap").
	Modules []string
	// Resources holds what the naming rules do not yield, by Terraform name.
	Resources map[string]Irregular
	// DataSources holds the tokens that the naming rules do not yield, by Terraform name.
	DataSources map[string]Irregular
	// Config holds provider settings whose defaults differ from upstream, by Terraform name.
	Config map[string]*info.Schema
}

// Irregular names a resource or data source against the rules.
type Irregular struct {
	// Module and Member of the token; an empty Member leaves the token to the rules.
	Module, Member string
	// DeleteBeforeReplace is set where two of a kind cannot exist under one name.
	DeleteBeforeReplace bool
	// Fields renames properties, by Terraform name.
	Fields map[string]*info.Schema
}

// Serve runs the plugin until the engine closes it; version is what the engine and the Python package call it.
func Serve(p Plugin, version string) {
	provider := p.info(version)
	if len(os.Args) == 2 && os.Args[1] == "--describe" {
		if err := json.NewEncoder(os.Stdout).Encode(describe(provider)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	tfbridge.Main(p.Name, version, provider, emptySchema(p.Name, version))
}

func (p Plugin) info(version string) tfbridge.ProviderInfo {
	provider := tfbridge.ProviderInfo{
		P:            p.Provider,
		Name:         p.Name,
		Version:      version,
		Config:       p.Config,
		Resources:    map[string]*info.Resource{},
		DataSources:  map[string]*info.DataSource{},
		MetadataInfo: info.NewProviderMetadata([]byte("{}")),
	}
	for name, irregular := range p.Resources {
		resource := &info.Resource{DeleteBeforeReplace: irregular.DeleteBeforeReplace, Fields: irregular.Fields}
		if irregular.Member != "" {
			resource.Tok = tfbridge.MakeResource(p.Name, irregular.module(), irregular.Member)
		}
		provider.Resources[name] = resource
	}
	for name, irregular := range p.DataSources {
		provider.DataSources[name] = &info.DataSource{
			Tok: tfbridge.MakeDataSource(p.Name, irregular.module(), irregular.Member),
		}
	}
	provider.MustComputeTokens(tokens.KnownModules(
		p.Name+"_", mainModule, p.Modules, tokens.MakeStandard(p.Name)))
	provider.SetAutonaming(nameLimit, nameSeparator)
	return provider
}

func (i Irregular) module() string {
	if i.Module == "" {
		return mainModule
	}
	return i.Module
}

func emptySchema(name, version string) []byte {
	return fmt.Appendf(nil, `{"name": %q, "version": %q}`, name, version)
}
