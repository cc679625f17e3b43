// Command pulumi-resource-docker manages Docker through its Terraform provider.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-providers/terraform-provider-docker/shim"

	"dive/toolchain/plugins/bridge"
)

var version string // set by the linker

func main() {
	bridge.Serve(bridge.Plugin{
		Name:     "docker",
		Provider: sdkv2.NewProvider(shim.NewProvider(version)),
		Resources: map[string]bridge.Irregular{
			"docker_config": {Member: "ServiceConfig"},
			"docker_container": {
				DeleteBeforeReplace: true,
				// Lists that the Python package names in the singular.
				Fields: map[string]*info.Schema{
					"command":           {Name: "command"},
					"networks_advanced": {Name: "networksAdvanced"},
				},
			},
			"docker_image": {Member: "RemoteImage", Fields: map[string]*info.Schema{"name": {Name: "name"}}},
		},
		DataSources: map[string]bridge.Irregular{
			"docker_image": {Member: "getRemoteImage"},
		},
		Config: map[string]*info.Schema{
			"host": {Default: &info.Default{
				Value: "unix:///var/run/docker.sock", EnvVars: []string{"DOCKER_HOST"},
			}},
			"registry_auth": {Name: "registryAuth"},
		},
	}, version)
}
