//! Where the six services are: the same variables that the services themselves read.

use clap::Args;
use saga_events::Service;

/// The URLs of the six services.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where the services are")]
pub struct Services {
    #[arg(
        global = true,
        long = "order-svc",
        value_name = "URL",
        env = "SAGA__SERVICES__ORDER"
    )]
    #[arg(default_value = "http://127.0.0.1:3000")]
    order: String,
    #[arg(
        global = true,
        long = "user-svc",
        value_name = "URL",
        env = "SAGA__SERVICES__USER"
    )]
    #[arg(default_value = "http://127.0.0.1:3001")]
    user: String,
    #[arg(global = true, long = "inventory-svc", value_name = "URL")]
    #[arg(
        env = "SAGA__SERVICES__INVENTORY",
        default_value = "http://127.0.0.1:3002"
    )]
    inventory: String,
    #[arg(
        global = true,
        long = "item-svc",
        value_name = "URL",
        env = "SAGA__SERVICES__ITEM"
    )]
    #[arg(default_value = "http://127.0.0.1:3003")]
    item: String,
    #[arg(global = true, long = "payment-svc", value_name = "URL")]
    #[arg(
        env = "SAGA__SERVICES__PAYMENT",
        default_value = "http://127.0.0.1:3004"
    )]
    payment: String,
    #[arg(global = true, long = "notify-svc", value_name = "URL")]
    #[arg(
        env = "SAGA__SERVICES__NOTIFY",
        default_value = "http://127.0.0.1:3005"
    )]
    notify: String,
}

impl Services {
    /// Services at these base URLs, wherever the command line says that others are.
    pub fn at(url: impl Fn(Service) -> String) -> Self {
        Self {
            order: url(Service::Order),
            user: url(Service::User),
            inventory: url(Service::Inventory),
            item: url(Service::Item),
            payment: url(Service::Payment),
            notify: url(Service::Notify),
        }
    }

    /// The base URL of a service, without a slash at its end.
    pub fn url(&self, service: Service) -> &str {
        let url = match service {
            Service::Order => &self.order,
            Service::User => &self.user,
            Service::Inventory => &self.inventory,
            Service::Item => &self.item,
            Service::Payment => &self.payment,
            Service::Notify => &self.notify,
        };
        url.trim_end_matches('/')
    }
}
