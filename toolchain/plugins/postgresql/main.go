// Command pulumi-resource-postgresql manages PostgreSQL through its Terraform provider.
package main

import (
	"github.com/hashicorp/terraform-plugin-sdk/helper/schema"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
	sdkv1 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v1"
	"github.com/terraform-providers/terraform-provider-postgresql/postgresql"

	"dive/toolchain/plugins/bridge"
)

var version string // set by the linker

func main() {
	bridge.Serve(bridge.Plugin{
		Name:     "postgresql",
		Provider: sdkv1.NewProvider(postgresql.Provider().(*schema.Provider)),
		Resources: map[string]bridge.Irregular{
			"postgresql_default_privileges": {Member: "DefaultPrivileges"},
			"postgresql_grant":              {DeleteBeforeReplace: true},
		},
		Config: map[string]*info.Schema{
			"connect_timeout": {Default: &info.Default{Value: 180, EnvVars: []string{"PGCONNECT_TIMEOUT"}}},
			"sslmode":         {Default: &info.Default{EnvVars: []string{"PGSSLMODE"}}},
		},
	}, version)
}
